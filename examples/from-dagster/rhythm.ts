/** Two rhythms, and a sensor that nobody has to start. */
import { defineJob, defineSensor } from 'temporal-sensors';

export const tidyUp = defineJob({ name: 'tidyUp' });

export const every30Seconds = defineSensor({
  name: 'every30Seconds',
  job: tidyUp,
  interval: '30s',
  evaluate: (ctx) => ctx.run(),
});

export const every45Seconds = defineSensor({
  name: 'every45Seconds',
  job: tidyUp,
  interval: '45s',
  defaultStatus: 'running',
  evaluate: (ctx) => ctx.run(),
});
