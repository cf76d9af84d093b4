using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runbooks.Bundles;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Makes a bundle of a runbook: with it the runbook is executed where neither console nor database answers. What is secret in it
/// is sealed; audited each time.</summary>
public sealed class SaveBundle(Postgres db, EvidenceKey key, RecoveryKey recovery, StepSecrets secrets, FourEyes eyes, ShowItem showItem,
    ListRecoveryPoints points, RepositoryTable repositories, LocationSecrets locations)
{
    /// <exception cref="BadInputException">The passphrase is too short, or the runbook cannot be executed from a bundle.</exception>
    /// <exception cref="ConflictException">It waits for a second person.</exception>
    public async Task<SavedBundle> Handle(Caller caller, SaveBundleRequest request, CancellationToken ct)
    {
        caller.Must(Right.SecretReveal);
        if (request.Passphrase.Trim().Length < BundleSealing.ShortestPassphrase)
            throw new BadInputException("passphrase", "The passphrase is too short to keep what is in the bundle.",
                $"At least {BundleSealing.ShortestPassphrase} characters; write it down beside the recovery kit.");
        var runbook = await RunbookTable.Get(db, request.Id, ct);
        if (runbook.Spec.Steps.FirstOrDefault(step => step.Kind == StepKind.Runbook) is { } child)
            throw new BadInputException("spec", $"The step '{child.Name}' executes another runbook, and a bundle holds one.",
                "Make a bundle of each, and let a step Approval ask for the other one.");
        await eyes.Pass(caller, new Command("runbook.bundle", request.Id.ToString(), $"Shows what the runbook '{runbook.Name}' needs to be "
            + "executed without this installation: its secrets and the keys of its repositories.",
            runbook.Version.ToString(CultureInfo.InvariantCulture), ApprovedUse.AskAgain), request with { Passphrase = "" },
            WireJson.Default.SaveBundleRequest, ct);
        var remarks = new List<string>();
        var (own, held) = await Secrets(caller, runbook.Spec, remarks, ct);
        using (own)
        {
            var hosts = await Hosts(runbook.Spec, held.Restores, remarks, ct);
            return await Write(caller, runbook, own, held, hosts, request.Passphrase.Trim(), remarks, ct);
        }
    }

    Task<SavedBundle> Write(Caller caller, Runbook runbook, ECDsa own, BundleSecrets held, IReadOnlyList<BundleHost> hosts,
        string passphrase, List<string> remarks, CancellationToken ct) => db.InTransaction(async tx =>
    {
        var now = await tx.Scalar<DateTimeOffset>("select clock()", [], ct);
        var head = new BundleHead
        {
            Format = BundleHead.TheFormat,
            Id = Guid.CreateVersion7(now).ToString("N"),
            MadeAt = now,
            MadeBy = caller.Name,
            Installation = recovery.Installation,
            PublicKey = Convert.ToBase64String(key.Public),
            Fingerprint = key.Fingerprint,
            Key = Convert.ToBase64String(own.ExportSubjectPublicKeyInfo()),
            Runbook = runbook.Id,
            Name = runbook.Name,
            Version = runbook.Version,
            Hash = Convert.ToHexStringLower(RunbookTable.HashOf(runbook.Spec)),
        };
        var text = BundleFile.Write(head, runbook.Spec, hosts, bound => BundleSealing.Seal(held, bound, passphrase, recovery.Key),
            key.Sign);
        await tx.Execute("update runbook set bundle_version = $2, bundle_at = $3, bundle_by = $4 where id = $1",
            [runbook.Id, runbook.Version, now.UtcDateTime, caller.Name], ct);
        await Notifications.Changed(tx, "runbooks", runbook.Id.ToString(), ct);
        await Audit.Add(tx, caller, "runbook.bundle", runbook.Id.ToString(), $"{runbook.Name}, version {runbook.Version}, {head.Id}", ct);
        return new SavedBundle($"{FileName(runbook.Name)}-v{runbook.Version.ToString(CultureInfo.InvariantCulture)}.bundle", text, remarks);
    }, ct);

    static string FileName(string name) => string.Concat(name.Select(one
        => char.IsAsciiLetterOrDigit(one) || one is '-' or '_' ? one : '-'));

    async Task<(ECDsa Own, BundleSecrets Secrets)> Secrets(Caller caller, RunbookSpec spec, List<string> remarks, CancellationToken ct)
    {
        var named = new Dictionary<string, string>();
        foreach (var name in spec.Steps.SelectMany(Named).Distinct())
        {
            using var secret = await secrets.Find(name, ct);
            if (secret is not null) named[name] = secret.Reveal();
            else remarks.Add($"There is no stored secret '{name}': the steps that name it fail.");
        }
        var restores = new List<BundleRestore>();
        foreach (var step in spec.Steps.Where(step => step.Restore is not null))
            if (await Restore(caller, step, remarks, ct) is { } restore) restores.Add(restore);
        if (spec.Steps.Any(step => step.Kind == StepKind.Notify))
            remarks.Add("Steps that tell people show their words to whoever executes the bundle: channels are the nodes' business.");
        var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return (own, new BundleSecrets
        {
            Key = Convert.ToBase64String(own.ExportPkcs8PrivateKey()),
            Secrets = named,
            Restores = restores,
            Places = await Places(remarks, ct),
        });
    }

    static IEnumerable<string> Named(StepSpec step) => new[]
    {
        step.Http?.BearerSecret, step.Http?.Undo?.BearerSecret, step.Http?.Rehearsal?.BearerSecret, step.Dns?.KeySecret,
        step.Dns?.Rehearsal?.KeySecret, step.Health?.Http?.BearerSecret, step.Health?.Sql?.ConnectionSecret,
        step.Health?.Rehearsal?.Http?.BearerSecret, step.Health?.Rehearsal?.Sql?.ConnectionSecret,
    }.OfType<string>();

    /// <summary>What a restore needs, with the point that is the one now.</summary>
    async Task<BundleRestore?> Restore(Caller caller, StepSpec step, List<string> remarks, CancellationToken ct)
    {
        var spec = step.Restore!;
        var itself = Caller.System("runbook");
        Item item;
        try { item = await showItem.Handle(itself, new ShowItemRequest(spec.Item), ct); }
        catch (NotFoundException)
        {
            remarks.Add($"The step '{step.Name}' restores an item that is not protected: do it by hand.");
            return null;
        }
        var all = await points.Handle(itself, new ListRecoveryPointsRequest(spec.Item), ct);
        if (RestoreItem.Choose(all, spec.Point) is not { } point)
        {
            remarks.Add($"'{item.Name}' has no recovery point that would do: make the bundle again when it has one.");
            return null;
        }
        var host = spec.Host ?? point.Host;
        var moment = spec.Point == RestoreWhich.EndOfLog ? new Moment { Kind = MomentKind.Latest } : null;
        var url = await db.Scalar<string>("select url from repository where id = $1", [point.Repository], ct);
        return new BundleRestore
        {
            Step = step.Name,
            Host = new BundleHost(host, await db.Scalar<string>("select name from host where id = $1", [host], ct) ?? host.ToString()),
            Item = item.Name,
            Point = point.Id,
            TakenAt = point.TakenAt,
            Job = new Job
            {
                Kind = JobKind.Restore,
                // A gateway is a node's, and no node is there then.
                Repository = (await repositories.Access(db, point.Repository, ct)).WithoutLimits() with { Url = url!, IsGateway = false },
                Restore = new RestoreJob
                {
                    SnapshotId = point.SnapshotId,
                    Target = PlanRestore.FirstPath(point, item),
                    Cluster = point.Backup.Cluster is { } cluster
                        ? new ClusterRestoreJob { SystemIdentifier = cluster.SystemIdentifier, Moment = moment } : null,
                    MariaDb = point.Backup.MariaDb is { } server
                        ? new MariaDbRestoreJob { Server = server.Server, Moment = moment } : null,
                },
            },
        };
    }

    /// <summary>Places of exports: where it is noted that somebody executes the runbook.</summary>
    async Task<IReadOnlyList<RepositoryPlace>> Places(List<string> remarks, CancellationToken ct)
    {
        var found = await db.Query("select id from location where kind = any($1) and not is_closed order by id", [ExportPlaces.Kinds],
            row => row.Id<LocationId>("id"), ct);
        var places = new List<RepositoryPlace>();
        foreach (var id in found)
        {
            var (location, credentials) = await locations.Find(db, id, ct);
            places.Add(new RepositoryPlace
            {
                Location = id,
                Url = location.Path?.ToString() ?? location.Address,
                Options = location.Path is null ? location.Options : [],
                Variables = CredentialVariables.Of(location.Kind, credentials),
                AuthorityPem = location.AuthorityPem,
            });
        }
        if (places.Count == 0)
            remarks.Add("There is no object store where two machines could see each other: whoever executes the bundle answers for it that "
                + "nobody else does.");
        return places;
    }

    async Task<IReadOnlyList<BundleHost>> Hosts(RunbookSpec spec, IReadOnlyList<BundleRestore> restores, List<string> remarks,
        CancellationToken ct)
    {
        var hosts = new Dictionary<HostId, BundleHost>();
        foreach (var name in spec.Steps.SelectMany(BundleHosts.All).Where(name => name.Length > 0).Distinct())
            if (await HostTable.FindByName(db, name, ct) is { } id) hosts[id] = new BundleHost(id, name);
            else remarks.Add($"There is no host named {name}: its steps are done by hand.");
        foreach (var restore in restores) hosts[restore.Host.Id] = restore.Host;
        return [.. hosts.Values.OrderBy(host => host.Name, StringComparer.Ordinal)];
    }
}
