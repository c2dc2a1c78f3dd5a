// What senders over HTTP share: one connection, an attempt, and what an answer means.

import { STATUS_CODES } from 'node:http';
import { type Connection, connect } from './connection';
import { post, type Reply } from './http';
import type { CheckedNetwork } from './network';
import type { Environment } from './proxy';
import { mayRetry, type Outcome, retryAfterMs } from './retry';

const MAX_REASON_CHARS = 300;

/** An answer, for who reads more in it than its status. */
export type Answer = Outcome & { reply?: Reply };

export class HttpSender {
  readonly #network: CheckedNetwork;
  readonly #env: Environment;
  readonly #now: () => number;
  #connection: Connection | undefined;

  constructor(network: CheckedNetwork, env: Environment, now: () => number) {
    this.#network = network;
    this.#env = env;
    this.#now = now;
  }

  /**
   * One attempt; never rejects.
   * @param path of the receiver, behind the endpoint, with a query
   * @param words makes the text of a refusal from the answer's body
   */
  async send(
    path: string,
    headers: Record<string, string>,
    body: Uint8Array,
    signal: AbortSignal,
    words: (reply: Reply) => string = plainWords,
  ): Promise<Answer> {
    const { endpoint, timeoutMs, connectTimeoutMs } = this.#network;
    let reply: Reply;
    try {
      this.#connection ??= connect(this.#network, this.#env);
      const all = { ...this.#network.headers, ...headers };
      reply = await post(this.#connection, { url: new URL(endpoint + path), headers: all, body, timeoutMs, connectTimeoutMs, signal });
    } catch (error) {
      // A new one next time: the name may lead elsewhere by then, and certificates are read again.
      this.close();
      return { kind: 'retry', reason: this.#redact((error as Error).message) };
    }
    const { status } = reply;
    const reason = () => this.#redact(`status ${status} ${STATUS_CODES[status] ?? ''}${lead(words(reply))}`);
    if (status >= 200 && status < 300) {
      // A gateway's page for people, or a web interface that answers every path: nothing was stored.
      if (String(reply.headers['content-type']).startsWith('text/html')) {
        return { kind: 'retry', reason: `status ${status} with a web page: is ${endpoint}${path.split('?')[0]} the receiver?` };
      }
      return { kind: 'delivered', reply };
    }
    if (!mayRetry(status)) return { kind: 'refused', reason: reason(), reply };
    const afterMs = retryAfterMs(reply.headers['retry-after'], this.#now());
    return { kind: 'retry', reason: reason(), reply, ...(afterMs !== undefined && { afterMs }) };
  }

  close(): void {
    this.#connection?.agent.destroy();
    this.#connection = undefined;
  }

  /** What a receiver answers may repeat what it was sent. */
  #redact(text: string): string {
    return this.#network.secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
  }
}

function plainWords({ body }: Reply): string {
  return body.toString('utf8');
}

/** One line, of bounded length, without control characters. */
function lead(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = text.replace(/[\x00-\x1f\x7f-\x9f\s]+/g, ' ').trim();
  return line === '' ? '' : `: ${line.length > MAX_REASON_CHARS ? `${line.slice(0, MAX_REASON_CHARS)}…` : line}`;
}
