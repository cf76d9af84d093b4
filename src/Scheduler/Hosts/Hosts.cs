using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;
using Host = BackupDr.Contracts.Api.Host;

namespace BackupDr.Scheduler.Hosts;

/// <summary>All hosts by name, those out of service last.</summary>
public sealed class ListHosts(Postgres db)
{
    public async Task<IReadOnlyList<Host>> Handle(Caller caller, ListHostsRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.HostRead);
        return [.. (await HostTable.All(db, ct)).Where(host => caller.Sees(Right.HostRead, host.Id))];
    }
}

/// <summary>One host.</summary>
public sealed class ShowHost(Postgres db)
{
    public async Task<Host> Handle(Caller caller, ShowHostRequest request, CancellationToken ct)
    {
        await caller.Must(Right.HostRead, request.Id, ct);
        return await HostTable.Find(db, request.Id, ct) ?? throw new NotFoundException("A host with this id");
    }
}

/// <summary>Takes a host out of service: its agent is refused from now on; its recovery points stay.</summary>
public sealed class RetireHost(Postgres db, FourEyes eyes)
{
    public async Task Handle(Caller caller, RetireHostRequest request, CancellationToken ct)
    {
        await caller.Must(Right.HostManage, request.Id, ct);
        var host = await HostTable.Find(db, request.Id, ct) ?? throw new NotFoundException("A host in service with this id");
        await eyes.Pass(caller, new Command("host.retire", request.Id.ToString(),
            $"Takes {host.Name} out of service: nothing of it is backed "
            + "up any more.", host.State == HostState.Retired ? "retired" : ""), request, WireJson.Default.RetireHostRequest, ct);
        await using var tx = await db.Begin(ct);
        if (await tx.Execute("update host set retired_at = clock() where id = $1 and retired_at is null", [request.Id], ct) == 0)
            throw new NotFoundException("A host in service with this id");
        await tx.Execute("update host_certificate set revoked_at = clock() where host_id = $1 and revoked_at is null", [request.Id], ct);
        await Notifications.Changed(tx, "hosts", request.Id.ToString(), ct);
        await Notifications.WakeHost(tx, request.Id, ct);
        await Audit.Add(tx, caller, "host.retire", request.Id.ToString(), "", ct);
        await tx.Commit(ct);
    }
}

/// <summary>What lies in a folder of a live host, asked of its agent.</summary>
public sealed class BrowseHost(AgentQuestions questions)
{
    public async Task<BrowseAnswer> Handle(Caller caller, BrowseHostRequest request, CancellationToken ct)
    {
        await caller.Must(Right.HostBrowse, request.Host, ct);
        if (!request.Path.IsAbsolute) throw new BadInputException("path", $"'{request.Path}' is not an absolute path.",
            "Begin with a slash.");
        return new BrowseAnswer(await questions.Ask(request.Host, AgentRequestKind.ListFolder, request.Path, null, null, ct));
    }
}

/// <summary>Whether a source can be backed up, asked of the agent that would do it.</summary>
public sealed class CheckSource(AgentQuestions questions)
{
    public async Task<SourceCheck> Handle(Caller caller, CheckSourceRequest request, CancellationToken ct)
    {
        await caller.Must(Right.HostBrowse, request.Id, ct);
        SourceRules.Check(request.Source);
        return new SourceCheck(await questions.Check(request.Id, request.Source, ct));
    }
}
