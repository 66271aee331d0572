/**
 * Tells people of files of orders that could not be reported: by mail and in Slack.
 *
 * What failed and why is in the message: here the file, line and column. Both sensors see the runs of all jobs of the
 * worker they are on.
 */
import type { EnvValue, SensorDefinition } from 'temporal-sensors';
import { emailOnRunFailure, type EmailAlertOptions } from 'temporal-sensors/alerts/email';
import { slackOnRunFailure } from 'temporal-sensors/alerts/slack';

export interface OrderAlertsOptions {
  /** The mail server. */
  readonly transport: EmailAlertOptions['transport'];
  /** The address of an incoming webhook of Slack. */
  readonly webhookUrl: string | EnvValue;
}

/** The sensors `mailFailedOrders` and `postFailedOrders`. */
export function orderAlerts({ transport, webhookUrl }: OrderAlertsOptions): readonly SensorDefinition[] {
  const mail = emailOnRunFailure({
    name: 'mailFailedOrders',
    defaultStatus: 'running',
    interval: '5s',
    from: 'Orders <orders@example.com>',
    to: ['Order desk <desk@example.com>'],
    transport,
    subject: '[orders] ',
  });
  const post = slackOnRunFailure({
    name: 'postFailedOrders',
    defaultStatus: 'running',
    interval: '5s',
    webhookUrl,
    // many files may be wrong in the same way: three messages, and then one that counts
    group: { per: '10m', max: 3 },
  });
  return [mail, post];
}
