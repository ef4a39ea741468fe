package customer

import (
	"github.com/google/uuid"

	"customercenter/domain"
)

// Withdraw ends being a customer of one whom this import created, and to whom nothing has happened since: the import is reverted. What counts is
// the customer's own stream. No session and no suppressed message is without an event there; an auto message is, and stays sent.
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
