package customer

import (
	"github.com/google/uuid"

	"customercenter/domain"
)

// Withdraw ends being a customer of one whom this import created, and to whom nothing has happened since: the import is reverted. What is on
// other streams does not count, so an auto message that was sent stays sent, and a session or a suppressed message cannot be passed over: there is none without
// an event on the customer's own stream.
//
// Refused: NOT_FOUND if there is no customer, so also if this was done before; CUSTOMER_TOUCHED if there is one who is not just what the
// import has made: because something has happened since, or because this life began in another way or by another import.
func (s *State) Withdraw(by uuid.UUID) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	if s.Touched || s.Via != ViaImport || s.Import != by || by == uuid.Nil {
		return nil, domain.Refuse(domain.CodeCustomerTouched)
	}
	return []Event{Withdrawn{Import: by}}, nil
}
