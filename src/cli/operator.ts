/** Who is at the terminal, as the sensor's audit shows it. */
import { hostname, userInfo } from 'node:os';

/** `<os user>@<host>`. */
export function operator(): string {
  return `${userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // a container may run as a number that has no name
    return process.env['USER'] ?? `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
