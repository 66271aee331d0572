/**
 * Alerts in Slack, `temporal-sensors/alerts/slack`: for failed runs, or for sensors' health with
 * `monitor: sensorHealth()`.
 */
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { alertSensor } from './alert-sensor.js';
import { SLACK_SENSOR, slackDelivery, type SlackAlertOptions } from './slack-delivery.js';
export type * from './types.js';
export type { SlackAlertOptions, SlackTokenOptions, SlackWebhookOptions } from './slack-delivery.js';
export { escapeMrkdwn } from './slack-message.js';

/**
 * Defines a sensor that posts each failed run to Slack, or each change of sensors' health.
 *
 * ```ts
 * export const alerts = slackOnRunFailure({ channel: 'C0123456789', token: env('SLACK_TOKEN') });
 * ```
 *
 * A rate limit pauses it; outages are retried; a token, channel or message that Slack refuses parks the event.
 *
 * @throws DefinitionError for a bad option; tokens and webhook addresses are never shown
 */
export function slackOnRunFailure(options: SlackAlertOptions): SensorDefinition {
  return alertSensor(options, { name: SLACK_SENSOR, description: 'Alerts in Slack' }, slackDelivery(options));
}
