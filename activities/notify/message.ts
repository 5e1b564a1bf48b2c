/**
 * What a message says, before any channel gives it a form. A message to a customer sees no more of the packet than the case.
 * Types only.
 */
import type { Instant } from '../../domain/json';
import type { Packet } from '../../domain/packet';

interface About {
  readonly tenant: string;
  readonly approvalId: string;
  /** One message, however often it is sent. */
  readonly owedId: string;
}

interface WithPacket extends About {
  readonly packet: Packet;
}

export type Message =
  /** To someone who is to decide, as `level`. `next` says what happens when nobody answers by `dueAt`. */
  | (WithPacket & { readonly kind: 'ask' | 'remind' | 'page_backup'; readonly level: string; readonly dueAt: Instant; readonly next: string })
  /** To those who were asked: how it stands now, in one sentence. `over`: nothing is wanted from them any more. */
  | (WithPacket & { readonly kind: 'tell_asked'; readonly what: string; readonly over: boolean })
  /** To who answers for the agent. */
  | (WithPacket & { readonly kind: 'tell_requester'; readonly what: string })
  /** To someone who may know: `question` is in the words of who asks. They may not be among those who decide, and so see no more than the headline. */
  | (About & {
      readonly kind: 'ask_person';
      readonly packet: Pick<Packet, 'headline' | 'action' | 'case'>;
      readonly askedBy: string;
      readonly question: string;
      readonly dueAt: Instant;
    })
  /** The policy's own words and the case's number, nothing else. */
  | (About & { readonly kind: 'tell_customer'; readonly subject: string; readonly text: string; readonly packet: Pick<Packet, 'case'> });

export interface Rendered {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}
