// Package etcd keeps a mediator's state in etcd: in one that it starts in this
// process, or in one that is there already.
//
// What is started here listens on loopback only, on ports that the system
// picks, and keeps its data in one directory, which it locks. It compacts its
// history, and refuses writes beyond quotaBytes until an operator has made room.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"example.test/eddy/internal/mediator"
)

// Prefix begins every key that a State has.
const Prefix = "/eddy/v1/"

const (
	quotaBytes = 1 << 30
	startTime  = 30 * time.Second
	dialTime   = 5 * time.Second
)

// State is a mediator.State in etcd. It is safe for concurrent use.
type State struct {
	client *clientv3.Client
	server *embed.Etcd // nil if it runs elsewhere
}

// Start starts an etcd with its data in dir, and returns its state. An etcd that
// was killed goes on where it was.
func Start(ctx context.Context, dir string, log *slog.Logger) (*State, error) {
	config := embed.NewConfig()
	config.Dir = dir
	config.Name = "eddy"
	loopback := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls = nil // the client below is in this process
	config.AdvertiseClientUrls = []url.URL{loopback}
	config.ListenPeerUrls = []url.URL{loopback}
	config.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}} // it has no peers
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.QuotaBackendBytes = quotaBytes
	config.AutoCompactionMode = "periodic"
	config.AutoCompactionRetention = "1h"
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("start etcd in %s: %w", dir, err)
	}
	ctx, stop := context.WithTimeout(ctx, startTime)
	defer stop()
	select {
	case <-server.Server.ReadyNotify():
	case err := <-server.Err():
		server.Close()
		return nil, fmt.Errorf("start etcd in %s: %w", dir, err)
	case <-ctx.Done():
		server.Close()
		return nil, fmt.Errorf("start etcd in %s: %w", dir, ctx.Err())
	}
	log.DebugContext(ctx, "etcd is ready", "dir", dir)
	return &State{client: v3client.New(server.Server), server: server}, nil
}

// Dial returns the state in the etcd at the endpoints, each a URL. It fails if
// none of them answers.
func Dial(ctx context.Context, endpoints []string) (*State, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: dialTime, Logger: zap.NewNop()})
	if err != nil {
		return nil, fmt.Errorf("etcd at %v: %w", endpoints, err)
	}
	s := &State{client: client}
	ask, stop := context.WithTimeout(ctx, dialTime)
	defer stop()
	if _, _, err := s.Get(ask, "tenure"); err != nil {
		return nil, errors.Join(fmt.Errorf("etcd at %v does not answer: %w", endpoints, err), client.Close())
	}
	return s, nil
}

// Close ends the client, and the server if it was started here.
func (s *State) Close() error {
	err := s.client.Close()
	if s.server != nil {
		s.server.Close()
	}
	if errors.Is(err, context.Canceled) {
		return nil // that is how the client in this process ends
	}
	return err
}

// Get implements mediator.State.
func (s *State) Get(ctx context.Context, key string) (mediator.Value, int64, error) {
	answer, err := s.client.Get(ctx, Prefix+key)
	if err != nil {
		return mediator.Value{}, 0, fmt.Errorf("etcd: read %s: %w", key, err)
	}
	if len(answer.Kvs) == 0 {
		return mediator.Value{}, answer.Header.Revision, nil
	}
	kv := answer.Kvs[0]
	return mediator.Value{Key: key, Data: kv.Value, Created: kv.CreateRevision, Revision: kv.ModRevision, Lease: mediator.LeaseID(kv.Lease)}, answer.Header.Revision, nil
}

// List implements mediator.State.
func (s *State) List(ctx context.Context, prefix string) ([]mediator.Value, int64, error) {
	answer, err := s.client.Get(ctx, Prefix+prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, 0, fmt.Errorf("etcd: list %s: %w", prefix, err)
	}
	list := make([]mediator.Value, 0, len(answer.Kvs))
	for _, kv := range answer.Kvs {
		list = append(list, mediator.Value{
			Key: string(kv.Key[len(Prefix):]), Data: kv.Value,
			Created: kv.CreateRevision, Revision: kv.ModRevision, Lease: mediator.LeaseID(kv.Lease),
		})
	}
	return list, answer.Header.Revision, nil
}

// Commit implements mediator.State.
func (s *State) Commit(ctx context.Context, ifs []mediator.Condition, puts []mediator.Put, deletes ...string) (int64, bool, error) {
	var compare []clientv3.Cmp
	for _, c := range ifs {
		switch {
		case c.Data != nil:
			compare = append(compare, clientv3.Compare(clientv3.Value(Prefix+c.Key), "=", string(c.Data)))
		case c.Created != 0:
			compare = append(compare, clientv3.Compare(clientv3.CreateRevision(Prefix+c.Key), "=", c.Created))
		default:
			compare = append(compare, clientv3.Compare(clientv3.ModRevision(Prefix+c.Key), "=", c.Revision))
		}
	}
	var do []clientv3.Op
	for _, p := range puts {
		do = append(do, clientv3.OpPut(Prefix+p.Key, string(p.Data), clientv3.WithLease(clientv3.LeaseID(p.Lease))))
	}
	for _, key := range deletes {
		do = append(do, clientv3.OpDelete(Prefix+key))
	}
	answer, err := s.client.Txn(ctx).If(compare...).Then(do...).Commit()
	if err != nil {
		return 0, false, fmt.Errorf("etcd: commit: %w", ended(err))
	}
	return answer.Header.Revision, answer.Succeeded, nil
}

// Grant implements mediator.State. etcd counts in seconds, and gives at least
// two of them.
func (s *State) Grant(ctx context.Context, ttl time.Duration) (mediator.LeaseID, error) {
	answer, err := s.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return 0, fmt.Errorf("etcd: grant a lease: %w", err)
	}
	return mediator.LeaseID(answer.ID), nil
}

// Renew implements mediator.State.
func (s *State) Renew(ctx context.Context, id mediator.LeaseID) error {
	if _, err := s.client.KeepAliveOnce(ctx, clientv3.LeaseID(id)); err != nil {
		return fmt.Errorf("etcd: renew a lease: %w", ended(err))
	}
	return nil
}

// Revoke implements mediator.State.
func (s *State) Revoke(ctx context.Context, id mediator.LeaseID) error {
	if _, err := s.client.Revoke(ctx, clientv3.LeaseID(id)); err != nil && !errors.Is(ended(err), mediator.ErrLeaseEnded) {
		return fmt.Errorf("etcd: revoke a lease: %w", err)
	}
	return nil
}

// ended tells that a lease has ended in the mediator's words.
func ended(err error) error {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) || rpctypes.ErrorDesc(err) == rpctypes.ErrorDesc(rpctypes.ErrGRPCLeaseNotFound) {
		return mediator.ErrLeaseEnded
	}
	return err
}
