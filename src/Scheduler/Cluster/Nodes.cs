using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Cluster;

/// <summary>All nodes by name.</summary>
public sealed class ListNodes(Postgres db)
{
    public async Task<IReadOnlyList<Node>> Handle(Caller caller, ListNodesRequest request, CancellationToken ct)
    {
        caller.Must(Right.NodeRead);
        return await NodeTable.All(db, ct);
    }
}

/// <summary>Lets a node take no new work, or take it again. It sees that within two seconds; a node that is started again is not draining
/// any more.</summary>
public sealed class DrainNode(Postgres db)
{
    /// <exception cref="NotFoundException">No such node runs.</exception>
    /// <exception cref="ConflictException">"node.last": no other would be left to work.</exception>
    public async Task Handle(Caller caller, DrainNodeRequest request, CancellationToken ct)
    {
        caller.Must(Right.NodeManage);
        await db.InTransaction(async tx =>
        {
            await tx.Execute("lock table node in share row exclusive mode", [], ct);   // two drains at once must not empty the last two
            var nodes = await NodeTable.All(tx, ct);
            if (!nodes.Exists(node => node.Name == request.Name && node.State is not (NodeState.Stopped or NodeState.Silent)))
                throw new NotFoundException($"A running node named '{request.Name}'", "'backupdr node list' names them.");
            if (!request.Undo && !nodes.Exists(node => node.Name != request.Name && node.State == NodeState.Online))
                throw new ConflictException("node.last", $"{request.Name} is the only node that works: no agent would find another.",
                    "Start another node first, or just stop this one: agents go on with their runs and wait for it.");
            await NodeTable.Drain(tx, request.Name, request.Undo ? null : caller.Name, ct);
            await Notifications.Changed(tx, "nodes", null, ct);
            await (request.Undo ? Audit.Add(tx, caller, "node.undrain", request.Name, "", ct)
                : Audit.Add(tx, caller, "node.drain", request.Name, "", ct));
        }, ct);
    }
}

/// <summary>Forgets a node that does not run any more: agents are told a list without it.</summary>
public sealed class RemoveNode(Postgres db)
{
    /// <exception cref="NotFoundException">There is no such node.</exception>
    /// <exception cref="ConflictException">"node.running": it would enter itself again.</exception>
    public async Task Handle(Caller caller, RemoveNodeRequest request, CancellationToken ct)
    {
        caller.Must(Right.NodeManage);
        await db.InTransaction(async tx =>
        {
            var nodes = (await NodeTable.All(tx, ct)).Where(node => node.Name == request.Name).ToList();
            if (nodes.Count == 0) throw new NotFoundException($"A node named '{request.Name}'", "'backupdr node list' names them.");
            if (nodes.Exists(node => node.State is not (NodeState.Stopped or NodeState.Silent)))
                throw new ConflictException("node.running", $"{request.Name} still runs.", "Drain it, stop its service, then remove it.");
            await NodeTable.Remove(tx, request.Name, ct);
            await Notifications.Changed(tx, "nodes", null, ct);
            await Audit.Add(tx, caller, "node.remove", request.Name, "", ct);
        }, ct);
    }
}
