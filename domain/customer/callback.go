package customer

import (
	"time"

	"customercenter/domain"
)

// WechatWindow is for how long after the customer's last message an account may write to a customer of the channel wechat.
const WechatWindow = 48 * time.Hour

// WindowEnds is when the channel stops taking messages to the customer; zero if it never does. limited says that the channel has
// such a window; one that never opened has ended at the zero time too.
//
// It knows of messages that came while their session lasted, and were told by its end. The channel counts suppressed and late ones too:
// see Wrote.
func (s *State) WindowEnds() (at time.Time, limited bool) {
	if s.Channel != domain.ChannelWechat {
		return time.Time{}, false
	}
	if s.LastCustomerMessageAt.IsZero() {
		return time.Time{}, true
	}
	return s.LastCustomerMessageAt.Add(WechatWindow), true
}

// Wrote adds when the customer wrote, where the customer's own stream does not have it: suppressed and late messages never touch it.
func (s *State) Wrote(at time.Time) {
	if at.After(s.LastCustomerMessageAt) {
		s.LastCustomerMessageAt = at
	}
}

// MayBeCalledBack answers whether a session may be opened towards the customer now.
//
// Refused, in this order: NOT_FOUND if there is no customer; CUSTOMER_BLACKLISTED; SESSION_OPEN if a session is unfinished;
// CHANNEL_WINDOW_CLOSED if the channel takes no messages to the customer any more. Whether the association is connected is its own
// aggregate's to say.
func (s *State) MayBeCalledBack(now time.Time) error {
	if err := s.mustExist(); err != nil {
		return err
	}
	if s.Blacklisted(now) {
		return domain.Refuse(domain.CodeCustomerBlacklisted)
	}
	if s.hasUnfinished() {
		return domain.Refuse(domain.CodeSessionOpen).With("session", s.Unfinished.ID)
	}
	if ends, limited := s.WindowEnds(); limited && !now.Before(ends) {
		return domain.Refuse(domain.CodeChannelWindowClosed).With("hours", int(WechatWindow/time.Hour))
	}
	return nil
}
