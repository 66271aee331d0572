/** Texts that may come from the environment, many of them secret: checked where they are written or first needed, never shown. */
import { isEnv, resolveEnv, type EnvValue } from '../sensors/env.js';
import { DefinitionError } from '../sensors/errors.js';

/** What is wrong with a text, such as `no URL`; it must not repeat the text. */
type Problem = (text: string) => string | undefined;

/**
 * A text as it may be written, to be read when it is needed.
 *
 * @throws {@link DefinitionError} at once for a bad text in the code; what it gives throws one for a variable that is
 *   not set or not right
 */
export function lateText(value: string | EnvValue, place: string, problemOf: Problem = () => undefined): () => string {
  const check = (text: unknown): string => {
    if (typeof text !== 'string' || text === '') {
      throw new DefinitionError(
        `${place} is ${text === '' ? 'empty' : `a ${typeof text}`}; accepted: a text, or env('NAME')`
      );
    }
    const problem = problemOf(text);
    if (problem !== undefined) throw new DefinitionError(`${place} is ${problem}`);
    return text;
  };
  if (typeof value !== 'object' || value === null || !isEnv(value)) {
    const text = check(value);
    return () => text;
  }
  return () => check(resolveEnv(value, place));
}

/** What is wrong with the address of a web service. */
export function urlProblem(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return 'no URL; accepted: https://… or http://…';
  const { username, password } = new URL(text);
  return username === '' && password === '' ? undefined : 'a URL with a user in it, which fetch does not take';
}

/** What must not be shown of the address of a web service: all of it, and its path alone. */
export function urlSecrets(url: string): readonly string[] {
  const { pathname, search } = new URL(url);
  return pathname === '/' && search === '' ? [url] : [url, `${pathname}${search}`];
}

/** `text` with `…` in the place of every secret in it. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret !== '').reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
}
