/**
 * The budgets that keep a sensor inside Temporal's own limits.
 *
 * Crossing one of Temporal's limits inside a workflow fails its task for ever, which nobody sees. So every budget
 * here is checked before: in the evaluation activity, in the client, or by the loop when it stores something.
 * Sizes are bytes of UTF-8 JSON. This file is pure: the workflow bundle contains it.
 */
const KB = 1024;

/** A workflow ID; the server refuses more, and inside a workflow that would be a silent hang. */
export const MAX_WORKFLOW_ID_BYTES = 1_000;
export const MAX_RUN_KEY_BYTES = 64 * KB;
export const MAX_CURSOR_BYTES = 64 * KB;
/** Config, tags and key of one run request together. */
export const MAX_REQUEST_BYTES = 128 * KB;
/** Requests that travel in one activity result, or are kept in one page; more of them are staged in pages. */
export const MAX_BATCH_REQUESTS = 500;
export const MAX_BATCH_BYTES = 256 * KB;
export const MAX_PARTITION_KEY_BYTES = 256;
/** Keys that one tick adds to dynamic partition sets, or deletes: about 3,000. */
export const MAX_PARTITION_CHANGE_BYTES = 64 * KB;
/** All keys of one dynamic partition set: about 25,000. */
export const MAX_PARTITION_SET_BYTES = 512 * KB;
/** Parts of an asset's key, joined by `/`: part of workflow IDs. */
export const MAX_ASSET_NAME_LENGTH = 300;
/** Tags that become search attributes: as many, and as many characters, as every visibility store takes. */
export const MAX_SEARCHABLE_TAGS = 20;
export const MAX_SEARCHABLE_TAG_LENGTH = 255;
export const MAX_EVENT_BYTES = 1 * KB;
/** Pushed events that wait for a tick. */
export const MAX_INBOX_BYTES = 256 * KB;
/** A tiny event counts as this much in the inbox, so that not only the bytes but also the number of waiting ones is bounded. */
export const MIN_EVENT_BYTES = 16;
/** Pushed events handed to one tick. */
export const MAX_EVENTS_PER_TICK_BYTES = 128 * KB;
export const MAX_RING_BYTES = 64 * KB;
export const MAX_RING_TICKS = 50;
export const MAX_DEAD_LETTERS_BYTES = 64 * KB;
export const MAX_AUDIT_BYTES = 64 * KB;
export const MAX_AUDIT_ENTRIES = 50;
export const MAX_LOG_LINES = 50;
export const MAX_LOG_BYTES = 4 * KB;
/** Of an evaluation that threw, on top of its log lines. */
export const MAX_TRACEBACK_BYTES = 2 * KB;
/** Skip reasons and error texts. */
export const MAX_TEXT_BYTES = 2 * KB;
/** What has been due for so long waits for a worker. */
export const LATE_MS = 10_000;
/** Reasons of a quiet streak, and each of them. */
export const MAX_QUIET_REASONS = 20;
export const MAX_QUIET_REASON_BYTES = 256;
/** Who did something and why, as an operator says it. */
export const MAX_NOTE_BYTES = 256;
/** A run key as the audit names it. */
export const MAX_AUDITED_KEY_BYTES = 200;
/** Run keys of discarded requests that one entry of the audit has: 4.4 KB. */
export const MAX_DISCARDED_KEYS = 200;
/** IDs of dead letters in one entry of the audit. */
export const MAX_DISCARDED_LETTERS = 20;
/** Run keys in the loop's state, packed 55 KB; beyond, the oldest go to a sealed page. */
export const MAX_RECENT_KEYS = 2_500;
/** Config of a rejected request, or a whole refused one, that is kept so that it can be tried again. */
export const MAX_KEPT_PAYLOAD_BYTES = 2 * KB;
/** Epochs and re-armed keys that the loop remembers: 64 KB. */
export const MAX_EPOCHS = 1_000;
/** Partitions of one backfill. */
export const MAX_BACKFILL_PARTITIONS = 100_000;
/** Runs of one backfill at a time. */
export const MAX_BACKFILL_CONCURRENCY = 100;
export const DEFAULT_BACKFILL_CONCURRENCY = 10;
/** Keys that a backfill holds in its state, or in one of its pages; beyond, they are in pages. */
export const MAX_BACKFILL_KEYS_BYTES = 64 * KB;
/** Keys of a run for many partitions: they are in its memo. About 5,000 days. */
export const MAX_RUN_PARTITIONS_BYTES = 64 * KB;
/** Failed runs of a backfill of which the error is kept, and each of these errors. */
export const MAX_BACKFILL_FAILURES = 20;
export const MAX_BACKFILL_ERROR_BYTES = 300;
/** Running ones of which progress tells the workflow ID. */
export const MAX_BACKFILL_RUNNING = 20;
/** A backfill's workflow ID: those of its runs derive from it. */
export const MAX_BACKFILL_ID_BYTES = 320;
/** A window of child starts: 40 starts of 110 KB in one workflow task get the loop terminated by the server. */
export const MAX_STARTS_IN_FLIGHT = 40;
export const MAX_STARTING_BYTES = 1024 * KB;
/** Dead letters that one update tries again: their starts are one window. */
export const MAX_RETRIES_AT_ONCE = 40;
/** Starts in one run of the loop; open children count against the server's limit of 2,000 until continue-as-new. */
export const MAX_STARTS_PER_RUN = 500;
/** History of one run of the loop, in events, after which it continues as new at the next tick boundary. */
export const MAX_HISTORY_EVENTS = 2_000;
/** The same in bytes. */
export const MAX_HISTORY_BYTES = 2 * 1024 * KB;
/** What the loop is told of a definition: description, tags, owners, jobs. It is in the memo. */
export const MAX_OPTIONS_BYTES = 16 * KB;
/** A quiet streak this long ends once, so that the loop continues as new and an idle sensor has five events. */
export const REST_AFTER_MS = 10 * 60 * 1000;

/** Deliveries of pushed events to failing evaluations before they are parked in the dead letters. */
export const MAX_EVENT_ATTEMPTS = 10;

/** Metadata of one asset event. */
export const MAX_METADATA_BYTES = 8 * KB;
export const MAX_METADATA_NAME_LENGTH = 100;
/** An asset event with everything: metadata, who produced it, its ID. */
export const MAX_ASSET_EVENT_BYTES = 16 * KB;
/** Identity of an asset event; a longer default one is hashed. */
export const MAX_EVENT_ID_BYTES = 512;
/** Asset events that one tick records. */
export const MAX_TICK_ASSET_EVENTS = 1_000;
export const MAX_TICK_ASSET_BYTES = 128 * KB;
/** Newest events in the state of an asset's log; beyond, the oldest go to a page. */
export const MAX_TAIL_BYTES = 128 * KB;
/** Events in one signal to an asset's log, in one of its pages, and in one of its answers. */
export const MAX_ASSET_BATCH_BYTES = 256 * KB;
/** Pages of an asset's log: 150 KB in its state, about 400 MB of events. */
export const MAX_ASSET_PAGES = 3_000;
/** IDs of the newest events of an asset's log, by which a repeated one is known: 64 KB at most. */
export const MAX_EVENT_HASHES = 8_000;
export const MIN_EVENT_HASHES = 5_000;
/** Partitions of which an asset's log knows the last materialization. */
export const MAX_PARTITION_MARKS = 2_000;
export const MAX_PARTITION_MARKS_BYTES = 80 * KB;
/** Of the cursor of a sensor of several assets: what is consumed between open events, about 12,000 stretches. */
export const MAX_CONSUMED_BYTES = 32 * KB;
/** Assets of one such sensor, and their names in its map together: a match that waits for another try holds them. */
export const MAX_WATCHED_TOGETHER = 20;
export const MAX_ASSET_KEYS_BYTES = 500;
/** Sensors that read an asset's log. */
export const MAX_SUBSCRIBERS = 100;
/** An asset's log continues as new after so many events of its history: each run carries the whole state. */
export const MAX_LOG_HISTORY_EVENTS = 4_000;

export const MIN_INTERVAL_MS = 100;
export const MAX_INTERVAL_MS = 30 * 24 * 60 * 60 * 1000;
/** How long an evaluation may take to settle after its timeout has aborted it. */
export const SETTLE_MS = 5_000;
/** What start-to-close adds to the timeout: room for settling and for the report of it. */
export const GRACE_MS = 10_000;
export const HEARTBEAT_TIMEOUT_MS = 10_000;
