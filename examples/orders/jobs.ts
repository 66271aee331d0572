/** The job. zod lives here, and workflow code imports this file for its types only. */
import { defineJob } from 'temporal-sensors';
import { z } from 'zod';

/** Checks one file of orders and reports what each customer has to pay. */
export const processOrders = defineJob({
  name: 'processOrders',
  config: z.object({
    /** The file, as the worker can open it. */
    path: z.string().min(1),
    /** The content this run is for: the file may have been replaced since it was asked for. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'),
    /** The folder for the report. */
    outbox: z.string().min(1),
  }),
});
