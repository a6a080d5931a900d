"""Support for Citus clusters.

All of a contact lies on one shard, and the shards lie on nodes (`tables`). Everything here serves one aim: a node that
is down or hangs is its own contacts' loss only.

- `placement` asks the cluster on which shard and node contacts lie, and remembers it.
- `writer` divides each batch by nodes, so that a transaction that records touches one node, and commits nodes'
  parts independently of each other. What is named for the first time goes to every node; that happens before, where
  only the batch that names it waits.
- `nodes` watches the calls that are under way. When one takes long, each node is asked by itself whether it answers.
  Only a node that is silent is suspected: calls that need it fail at once, and those that wait for it are cut.
- `layout` writes rows to the shards that they belong to, and keeps an erasure and a recording of the same shard apart.

When a call is cut, the coordinator notices within seconds and ends its transaction
(`client_connection_check_interval`); but a backend of the coordinator that waits for a hung node can't be ended by
anything, not by `pg_terminate_backend` either, until that node is back: Citus first asks the node to cancel, and waits
for its reply. So such a backend must hold nothing that others need. It holds no lock on another node, because a
transaction touches one, and on the coordinator only shared locks of the hung node's shards. Changes of the small tables
do touch every node; they may lock rows of these on healthy nodes, which nobody else could change either. The erasure of
a contact that clicked links touches every node, too, and keeps out all who record; so all nodes are asked first.
"""
