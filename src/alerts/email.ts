/**
 * Alerts by e-mail, `temporal-sensors/alerts/email`: for failed runs, or for sensors' health with
 * `monitor: sensorHealth()`. Needs `nodemailer`.
 */
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { alertSensor } from './alert-sensor.js';
import { EMAIL_SENSOR, emailDelivery, type EmailAlertOptions } from './email-delivery.js';
export type * from './types.js';
export type { EmailAlertOptions } from './email-delivery.js';
export { escapeHtml } from './email-message.js';
export type { EmailBody } from './email-message.js';
export type { EmailTransport } from './smtp.js';

/**
 * Defines a sensor that mails each failed run, or each change of sensors' health.
 *
 * ```ts
 * export const alerts = emailOnRunFailure({
 *   from: 'Temporal <temporal@example.com>',
 *   to: ['ann@example.com', 'bob@example.com'],
 *   transport: { host: 'smtp.example.com', port: 587, auth: { user: 'temporal', pass: env('SMTP_PASSWORD') } },
 * });
 * ```
 *
 * A server that cannot be reached or answers 4xx is tried again; a log-in or mail that it refuses parks the event.
 *
 * @throws DefinitionError for a bad option; the password is never shown
 */
export function emailOnRunFailure(options: EmailAlertOptions): SensorDefinition {
  return alertSensor(options, { name: EMAIL_SENSOR, description: 'Alerts by e-mail' }, emailDelivery(options));
}
