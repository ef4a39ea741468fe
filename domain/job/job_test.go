package job_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/job"
)

func TestStreams(t *testing.T) {
	id := uuid.UUID{15: 7}
	if got, ok := job.Of(job.Stream(id)); !ok || got != id {
		t.Errorf("the stream of %v is %v's, %v", id, got, ok)
	}
	for _, stream := range []string{"", "job-", "job-x", "customer-" + id.String(), id.String(), "xjob-" + id.String()} {
		if got, ok := job.Of(stream); ok {
			t.Errorf("%q is the stream of %v", stream, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	var refusal *domain.Refusal
	if !errors.As(job.Wrong(job.Running), &refusal) || refusal.Code != domain.CodeJobStatus || refusal.Args["status"] != "running" {
		t.Errorf("%+v", refusal)
	}
	if !errors.As(job.NotFound(), &refusal) || refusal.Code != domain.CodeNotFound {
		t.Errorf("%+v", refusal)
	}
}
