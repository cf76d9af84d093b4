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
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Makes a bundle of a runbook: with it the runbook is executed where neither console nor database answers. What is secret in it
/// is sealed; audited each time.</summary>
public sealed class SaveBundle(Postgres db, EvidenceKey key, RecoveryKey recovery, StepSecrets secrets, FourEyes eyes,
    BundleContents contents, RepositoryTable repositories, LocationSecrets locations)
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
        if (BundleContents.Refused(runbook.Spec) is var (problem, advice)) throw new BadInputException("spec", problem, advice);
        await eyes.Pass(caller, new Command("runbook.bundle", request.Id.ToString(), $"Shows what the runbook '{runbook.Name}' needs to be "
            + "executed without this installation: its secrets and the keys of its repositories.",
            runbook.Version.ToString(CultureInfo.InvariantCulture), ApprovedUse.AskAgain), request with { Passphrase = "" },
            WireJson.Default.SaveBundleRequest, ct);
        // Before anything is read: what is changed from here on is newer than the bundle.
        var now = await db.Scalar<DateTimeOffset>("select clock()", [], ct);
        var content = await contents.Choose(runbook.Spec, ct);
        var remarks = content.Remarks.ToList();
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var held = await Secrets(own, content, remarks, ct);
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
        var text = BundleFile.Write(head, runbook.Spec, content.Hosts, bound => BundleSealing.Seal(held, bound,
            request.Passphrase.Trim(), recovery.Key), key.Sign);
        // Any other restore looks for the newest point itself.
        var points = content.Restores.Where(one => one.Step.Restore!.Point == RestoreWhich.NewestProven).Select(one => one.Point.Id.Value);
        return await Note(caller, runbook, head, text, [.. points], remarks, ct);
    }

    Task<SavedBundle> Note(Caller caller, Runbook runbook, BundleHead head, string text, Guid[] points, List<string> remarks,
        CancellationToken ct) => db.InTransaction(async tx =>
    {
        await tx.Execute("update runbook set bundle_version = $2, bundle_at = $3, bundle_by = $4, bundle_points = $5 where id = $1",
            [runbook.Id, runbook.Version, head.MadeAt.UtcDateTime, caller.Name, points], ct);
        await Notifications.Changed(tx, "runbooks", runbook.Id.ToString(), ct);
        await Audit.Add(tx, caller, "runbook.bundle", runbook.Id.ToString(), $"{runbook.Name}, version {runbook.Version}, {head.Id}", ct);
        return new SavedBundle($"{FileName(runbook.Name)}-v{runbook.Version.ToString(CultureInfo.InvariantCulture)}.bundle", text, remarks);
    }, ct);

    static string FileName(string name) => string.Concat(name.Select(one
        => char.IsAsciiLetterOrDigit(one) || one is '-' or '_' ? one : '-'));

    async Task<BundleSecrets> Secrets(ECDsa own, BundleContent content, List<string> remarks, CancellationToken ct)
    {
        var named = new Dictionary<string, string>();
        foreach (var name in content.Secrets)
        {
            using var secret = await secrets.Find(name, ct);
            if (secret is not null) named[name] = secret.Reveal();
            else remarks.Add($"The stored secret '{name}' was removed just now: the steps that name it fail.");
        }
        var restores = new List<BundleRestore>();
        foreach (var restore in content.Restores) restores.Add(await Restore(restore, ct));
        return new BundleSecrets
        {
            Key = Convert.ToBase64String(own.ExportPkcs8PrivateKey()),
            Secrets = named,
            Restores = restores,
            Places = await Places(content.Places, ct),
        };
    }

    /// <summary>What a restore needs.</summary>
    async Task<BundleRestore> Restore(BundleContentRestore one, CancellationToken ct)
    {
        var (step, item, point, host) = one;
        var moment = step.Restore!.Point == RestoreWhich.EndOfLog ? new Moment { Kind = MomentKind.Latest } : null;
        var url = await db.Scalar<string>("select url from repository where id = $1", [point.Repository], ct);
        return new BundleRestore
        {
            Step = step.Name,
            Host = host,
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

    async Task<IReadOnlyList<RepositoryPlace>> Places(IReadOnlyList<LocationId> ids, CancellationToken ct)
    {
        var places = new List<RepositoryPlace>();
        foreach (var id in ids)
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
        return places;
    }
}
