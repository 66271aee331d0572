import { createHash } from 'node:crypto';

/** 128 bits of SHA-256 as 22 characters that a workflow ID takes. The same for the same content, for ever. */
export function shortHash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, 22);
}
