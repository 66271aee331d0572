/** What is wrong between two ends that do not agree on TLS, told by the texts of Node's and OpenSSL's errors. */

const TLS_SETTINGS = 'TEMPORAL_TLS_… in the environment or tls in the profile';

/** In this order: the first that fits. */
const FAULTS: readonly (readonly [sign: RegExp, sentence: string])[] = [
  [
    /certificate has expired|CERT_HAS_EXPIRED/i,
    "the server's certificate has expired (or the clock of this machine is wrong): it has to be renewed on the server",
  ],
  [
    /certificate is not yet valid|CERT_NOT_YET_VALID/i,
    "the server's certificate is not valid yet: check the clock of this machine",
  ],
  [
    /alert certificate expired/i,
    `the server refuses the client certificate, which has expired: renew it (TEMPORAL_TLS_CLIENT_CERT_PATH and _KEY_PATH, or the profile)`,
  ],
  [
    /alert (certificate required|bad certificate|unknown ca|certificate unknown|handshake failure)/i,
    `the server wants a client certificate that it knows: set TEMPORAL_TLS_CLIENT_CERT_PATH and _KEY_PATH, or the profile`,
  ],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/i,
    `the server's certificate is for another name: correct the address, or set TEMPORAL_TLS_SERVER_NAME`,
  ],
  [
    /self-signed certificate|unable to (verify the first certificate|get (local )?issuer certificate)/i,
    `the server's certificate is signed by nobody whom this machine trusts: set TEMPORAL_TLS_SERVER_CA_CERT_PATH, or the profile`,
  ],
  [
    /wrong version number|packet length too long/i,
    `the server speaks no TLS, and the command was told to use it (an API key switches it on): correct the address, or ${TLS_SETTINGS}`,
  ],
];

/** A sentence with the remedy, when the details of a failed connection are about TLS. */
export function describeTlsFault(details: string): string | undefined {
  return FAULTS.find(([sign]) => sign.test(details))?.[1];
}

/** What may be wrong when the other end hung up without a word, as servers with TLS do. */
export const MAYBE_TLS = `if the server wants TLS: TEMPORAL_TLS=true, an API key, or tls in the profile`;
