const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text has the form of a run ID of Temporal's. Pure, for commands that have not loaded the client. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}
