/** A client that may only look. */

/** Options of `SensorClient`. */
export interface SensorClientOptions {
  /**
   * Refuses whatever changes something, before anything is sent: for dashboards, and for looking at production.
   *
   * @default false
   */
  readonly readOnly?: boolean;
}

/** @throws {@link ReadOnlyError} when the client may only look */
export function refuseChange({ readOnly }: SensorClientOptions, action: string): void {
  if (readOnly === true) throw new ReadOnlyError(action);
}

/** Something would be changed, and the client is read-only. Nothing was sent. */
export class ReadOnlyError extends Error {
  override readonly name = 'ReadOnlyError';
  /** @param action what was asked for, such as `stop` */
  constructor(readonly action: string) {
    super(`refused: ${action} changes something, and this client is read-only; nothing was sent`);
  }
}
