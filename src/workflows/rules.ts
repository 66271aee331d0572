/** Every pure rule of the loop, in one place to import from. */
export {
  abortReason,
  audit,
  choose,
  configure,
  givesWay,
  healthHook,
  interrupted,
  isHolding,
  isRunning,
  newState,
  nextStep,
  operatorChoice,
  resumeWhenDue,
  wakeUp,
} from './state.js';
export type { Running } from './state.js';
export { pushEvents } from './inbox.js';
export { beginEvaluation, commit, fail, overtake, rest } from './tick.js';
export {
  afterRelease,
  countRuns,
  discardPending,
  endBatch,
  endAssetEvents,
  endLaunch,
  endPartitions,
  expire,
  isHeld,
  isLimited,
  keepPages,
  loadPage,
  losePage,
  mayLaunch,
  release,
  remember,
  resumeLaunch,
  seal,
  settle,
  waitingRequests,
  withEpoch,
  withoutSearch,
} from './launch-rules.js';
