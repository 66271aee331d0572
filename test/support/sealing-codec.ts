/** Stands in for an encrypting codec: nobody without it can read a payload. Others' payloads are left as they are. */
import type { PayloadCodec } from '@temporalio/common';

const SEALED = 'binary/sealed';

export const sealingCodec: PayloadCodec = {
  encode: async (payloads) =>
    payloads.map(({ metadata, data }) => ({
      metadata: { encoding: Buffer.from(SEALED), within: metadata?.['encoding'] ?? Buffer.from('') },
      data: (data ?? new Uint8Array()).map((byte) => byte ^ 255),
    })),
  decode: async (payloads) =>
    payloads.map((payload) => {
      const { metadata, data } = payload;
      if (Buffer.from(metadata?.['encoding'] ?? []).toString() !== SEALED) return payload;
      return {
        metadata: { encoding: metadata?.['within'] ?? Buffer.from('') },
        data: (data ?? new Uint8Array()).map((byte) => byte ^ 255),
      };
    }),
};
