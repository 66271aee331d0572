export { SensorsPlugin } from './sensors-plugin.js';
export type { SensorsPluginOptions } from './sensors-plugin.js';
