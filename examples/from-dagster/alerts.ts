/** Runs that failed, in Slack and by mail. */
import { env } from 'temporal-sensors';
import { emailOnRunFailure } from 'temporal-sensors/alerts/email';
import { slackOnRunFailure } from 'temporal-sensors/alerts/slack';

export const slackAlerts = slackOnRunFailure({
  name: 'slackAlerts',
  channel: '#my_channel',
  token: env('MY_SLACK_TOKEN'),
});

export const emailAlerts = emailOnRunFailure({
  name: 'emailAlerts',
  from: 'no-reply@example.com',
  to: ['xxx@example.com', 'yyy@example.com'],
  transport: { host: 'smtp.example.com', auth: { user: 'no-reply', pass: env('ALERT_EMAIL_PASSWORD') } },
});
