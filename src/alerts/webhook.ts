/**
 * Alerts to any URL, `temporal-sensors/alerts/webhook`: for failed runs, or for sensors' health with
 * `monitor: sensorHealth()`.
 */
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { alertSensor } from './alert-sensor.js';
import { WEBHOOK_SENSOR, webhookDelivery, type WebhookAlertOptions } from './webhook-delivery.js';
export type * from './types.js';
export { teamsCard } from './webhook-body.js';
export type { WebhookAlertOptions } from './webhook-delivery.js';

/**
 * Defines a sensor that sends each failed run to a URL, or each change of sensors' health.
 *
 * ```ts
 * export const alerts = webhookOnRunFailure({
 *   url: 'https://alerts.example.com/temporal',
 *   headers: { authorization: env('ALERTS_AUTHORIZATION') },
 * });
 * ```
 *
 * Each request has the event's ID as its `Idempotency-Key`: the same event may come again. `Retry-After` pauses the sensor;
 * 5xx, 408 and a network that fails are retried; other answers than 2xx, and redirects, park the event.
 *
 * @throws DefinitionError for a bad option; the URL and the values of headers are never shown
 */
export function webhookOnRunFailure(options: WebhookAlertOptions): SensorDefinition {
  return alertSensor(options, { name: WEBHOOK_SENSOR, description: 'Alerts by webhook' }, webhookDelivery(options));
}
