/** gRPC's text for a connection that failed, without what only its own developers need. */
export function reasonIn(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/ *Resolution note:.*$/s, '');
}
