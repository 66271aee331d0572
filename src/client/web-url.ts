/** Temporal Web's page of a run, or of the last run of a workflow. @param webUrl where Temporal Web is, such as `http://localhost:8233` */
export function webLink(
  webUrl: string,
  namespace: string,
  { workflowId, runId }: { readonly workflowId: string; readonly runId?: string }
): string {
  const base = webUrl.replace(/\/+$/, '');
  return `${base}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}${runId === undefined ? '' : `/${runId}/history`}`;
}
