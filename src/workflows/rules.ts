/** Every pure rule of the loop, in one place to import from. */
export {
  audit,
  choose,
  configure,
  interrupted,
  isHolding,
  isRunning,
  newState,
  nextStep,
  operatorChoice,
  resumeWhenDue,
  wakeUp,
} from './state.js';
export type { Evaluated } from './state.js';
export { pushEvents } from './inbox.js';
export { beginEvaluation, commit, fail, overtake, rest } from './tick.js';
export { endLaunch, resumeLaunch, settle } from './launch-rules.js';
