/** What the two workers have in common: which assets there are. What the other one does with them is not their business. */
import { defineAsset, staticPartitions } from 'temporal-sensors';

export const cities = staticPartitions(['berlin', 'lisbon', 'toronto']);

export const orders = defineAsset({
  key: ['sales', 'orders'],
  partitions: cities,
  description: 'The files of orders that have arrived, one for each city',
});

export const report = defineAsset({
  key: ['sales', 'report'],
  partitions: cities,
  upstream: [orders],
  description: 'What was sold in each city',
});
