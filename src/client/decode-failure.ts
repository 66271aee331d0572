/** Temporal's failures as errors. What cannot be decoded costs only itself: types are never encoded, messages seldom. */
import {
  DefaultFailureConverter,
  defaultPayloadConverter,
  type LoadedDataConverter,
  type ProtoFailure,
  type SerializationContext,
} from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';

/** In place of messages that only another application's codec can read. */
const UNREADABLE = "the message cannot be decoded with this client's data converter";

/** The error of a failure; without its details where only another application's codec can read them. */
export async function decodeFailure(
  converter: LoadedDataConverter,
  failure: ProtoFailure,
  context?: SerializationContext
): Promise<Error> {
  try {
    return (await decodeOptionalFailureToOptionalError(converter, failure, context)) as Error;
  } catch {
    return new DefaultFailureConverter().failureToError(withoutPayloads(failure), defaultPayloadConverter);
  }
}

function withoutPayloads({ encodedAttributes, cause, ...failure }: ProtoFailure): ProtoFailure {
  const { applicationFailureInfo, timeoutFailureInfo, canceledFailureInfo, resetWorkflowFailureInfo } = failure;
  return {
    ...failure,
    ...(encodedAttributes == null ? {} : { message: UNREADABLE, stackTrace: '' }),
    ...(cause == null ? {} : { cause: withoutPayloads(cause) }),
    ...(applicationFailureInfo == null ? {} : { applicationFailureInfo: { ...applicationFailureInfo, details: null } }),
    ...(timeoutFailureInfo == null
      ? {}
      : { timeoutFailureInfo: { ...timeoutFailureInfo, lastHeartbeatDetails: null } }),
    ...(canceledFailureInfo == null ? {} : { canceledFailureInfo: { ...canceledFailureInfo, details: null } }),
    ...(resetWorkflowFailureInfo == null
      ? {}
      : { resetWorkflowFailureInfo: { ...resetWorkflowFailureInfo, lastHeartbeatDetails: null } }),
  };
}
