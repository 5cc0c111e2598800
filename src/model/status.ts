/** The statuses of a message, in the order in which it moves through them. */
export const MESSAGE_STATUSES = ['processing', 'timeout', 'success'] as const;

/**
 * `processing`: verifications are still missing · `success`: every known CCV has answered · `timeout`: the visibility
 * window ended first. A status only moves forward.
 */
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

/** The number of a status, on the wire and in rows. */
export const STATUS_CODES: Readonly<Record<MessageStatus, number>> = { processing: 0, success: 1, timeout: 2 };

const KNOWN: ReadonlySet<string> = new Set(MESSAGE_STATUSES);

/** True for the name of a status. */
export function isMessageStatus(text: string): text is MessageStatus {
  return KNOWN.has(text);
}

/** True when a message of status `from` takes the status `to`. */
export function movesForward(from: MessageStatus, to: MessageStatus): boolean {
  return MESSAGE_STATUSES.indexOf(to) > MESSAGE_STATUSES.indexOf(from);
}
