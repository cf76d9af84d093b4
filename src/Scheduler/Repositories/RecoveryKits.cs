using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Whether the kit that was written last still holds everything.</summary>
public sealed class ShowRecoveryKit(Postgres db)
{
    public async Task<RecoveryKitState> Handle(Caller caller, ShowRecoveryKitRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.StorageRead);
        // It is one for the whole installation: who sees a part of that is told nothing of it.
        if (!caller.MayEverywhere(Right.StorageRead)) return new RecoveryKitState { Repositories = 0, Lacks = [] };
        var last = await db.First("select written_at, written_by from recovery_kit order by id desc limit 1", [],
            row => new { At = row.Time("written_at"), By = row.Text("written_by") }, ct);
        var found = await db.Query("""
            with kit as (select written_at, repositories from recovery_kit order by id desc limit 1),
            place as (
                select id as repository_id, location_id, created_at as added_at from repository
                union all select repository_id, location_id, added_at from replica)
            select coalesce(r.name, h.name) as host, l.name as location,
                kit.written_at is not null and r.id = any(kit.repositories) as is_in,
                exists (select from place p where p.repository_id = r.id and p.added_at > kit.written_at) as has_new_place,
                exists (select from place p join location o on o.id = p.location_id
                    where p.repository_id = r.id and o.credentials_set_at > kit.written_at) as has_new_credentials,
                exists (select from place p join location o on o.id = p.location_id
                    where p.repository_id = r.id and o.way_set_at > kit.written_at) as has_new_way
            from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id left join kit on true
           
                where r.state = 'Ready' order by lower(h.name), lower(l.name), r.id
            """, [], row => (Name: $"{row.Text("host")} in {row.Text("location")}", IsIn: row.Bool("is_in"),
            HasNewPlace: row.Bool("has_new_place"), HasNewCredentials: row.Bool("has_new_credentials"),
            HasNewWay: row.Bool("has_new_way")), ct);
        var hasKey = last is null || await db.Scalar<bool>("select $1 >= created_at from control_plane", [last.At], ct);
        var lacks = found.Select(one => !one.IsIn ? $"{one.Name} is not in it."
            : one.HasNewPlace ? $"{one.Name} lies in a further location since."
            : one.HasNewWay ? $"{one.Name} has another address or other settings since."
            : one.HasNewCredentials ? $"{one.Name} has other credentials since." : null).OfType<string>().ToList();
        if (!hasKey) lacks.Add("The key that opens the exports of the control plane is not in it.");
        if (last is not null && await db.Scalar<bool?>("select rotated_at > $1 from sealing_key", [last.At], ct) == true)
            lacks.Add("The key of the secrets was exchanged since.");
        return new RecoveryKitState
        {
            WrittenAt = last?.At,
            WrittenBy = last?.By,
            Repositories = found.Count,
            Lacks = lacks,
        };
    }
}

/// <summary>Writes a kit: everything that restores without this installation, in clear. Audited each time.</summary>
public sealed class WriteRecoveryKit(Postgres db, RepositoryTable repositories, ExportedControlPlane control, NodeOptions node,
    FourEyes eyes)
{
    public async Task<RecoveryKit> Handle(Caller caller, WriteRecoveryKitRequest request, CancellationToken ct)
    {
        caller.Must(Right.SecretReveal);
        await eyes.Pass(caller, new Command("recovery_kit.write", "", "Shows every password and the sealing key of this installation.", "",
            ApprovedUse.AskAgain), request, WireJson.Default.WriteRecoveryKitRequest, ct);
        return await db.InTransaction(async tx =>
        {
            var now = await tx.Scalar<DateTimeOffset>("select clock()", [], ct);
            var found = await tx.Query("""
                select r.id, r.url, coalesce(r.name, h.name) as host, l.name as location, l.kind
                from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id
                where r.state = 'Ready' order by lower(h.name), lower(l.name), r.id
                """, [], row => (Id: row.Id<RepositoryId>("id"), Url: row.Text("url"), Host: row.Text("host"),
                Location: row.Text("location"), Kind: row.Word<LocationKind>("kind")), ct);
            var holds = await Contents(tx, ct);
            var parts = new List<KitRepository>();
            foreach (var one in found)
                parts.Add(new KitRepository(one.Host, one.Location, one.Kind, one.Url, await repositories.Access(tx, one.Id, ct),
                    [.. holds[one.Id]]));
            var text = RecoveryKitText.Of(now, caller.Name, node.NameOrMachine, parts,
                await control.ForKit(tx, ct));
            await tx.Execute("insert into recovery_kit (written_at, written_by, repositories) values ($1, $2, $3)",
                [now, caller.Name, found.Select(one => one.Id.Value).ToArray()], ct);
            await Audit.Add(tx, caller, "recovery_kit.write", "", $"{found.Count} repositories", ct);
            await Notifications.Changed(tx, "storage", null, ct);
            return new RecoveryKit(string.Create(CultureInfo.InvariantCulture, $"backupdr-recovery-kit-{now:yyyy-MM-dd}.txt"), text);
        }, ct);
    }

    static async Task<ILookup<RepositoryId, KitContent>> Contents(Transaction tx, CancellationToken ct)
        => (await tx.Query("""
            with point as (
                select p.repository_id, p.snapshot_id, p.taken_at, i.source->>'kind' as kind, coalesce(i.name, array_to_string(
                    array(select jsonb_array_elements_text(p.found->'paths')), ', ') || ' on ' || (p.found->>'hostName')) as name
                from recovery_point p left join item i on i.id = p.item_id where p.gone_at is null)
            select distinct on (repository_id, name) repository_id, name, snapshot_id, taken_at, kind from point
            order by repository_id, name, taken_at desc
            """, [], row => (Repository: row.Id<RepositoryId>("repository_id"),
            Content: new KitContent(row.Text("name"), row.Text("snapshot_id"), row.Time("taken_at"),
                row.WordOrNull<SourceKind>("kind") ?? SourceKind.Files)), ct))
            .ToLookup(one => one.Repository, one => one.Content);
}

/// <summary>What a repository holds of one item.</summary>
/// <param name="Item">The item's name.</param>
/// <param name="Snapshot">Its newest snapshot.</param>
/// <param name="TakenAt">When that was taken.</param>
/// <param name="Kind">What it is.</param>
sealed record KitContent(string Item, string Snapshot, DateTimeOffset TakenAt, SourceKind Kind);

/// <summary>One repository of a kit.</summary>
/// <param name="Host">Whose it is, or what it is called.</param>
/// <param name="Location">Where it lies, by name.</param>
/// <param name="Kind">What kind of place that is.</param>
/// <param name="Url">The address without any gateway of ours.</param>
/// <param name="Access">Password, credentials and further places.</param>
/// <param name="Contents">What it holds.</param>
sealed record KitRepository(string Host, string Location, LocationKind Kind, string Url, RepositoryAccess Access,
    IReadOnlyList<KitContent> Contents);

/// <summary>What makes the control plane again.</summary>
/// <param name="Installation">Which one it is.</param>
/// <param name="RecoveryKey">Opens the exports.</param>
/// <param name="Signer">Fingerprint of the key that signs them.</param>
/// <param name="SealingKey">The key of the secrets in the database, base64.</param>
/// <param name="Places">Where the exports are.</param>
sealed record KitControlPlane(Guid Installation, string RecoveryKey, string Signer, string SealingKey, IReadOnlyList<KitPlace> Places);

/// <summary>A place with exports.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Address">Where it is.</param>
/// <param name="Options">Each NAME=VALUE.</param>
/// <param name="Variables">What opens it; null where each machine has credentials of its own.</param>
/// <param name="AuthorityPem">Authorities that may vouch for it.</param>
sealed record KitPlace(string Name, string Address, IReadOnlyList<string> Options, IReadOnlyDictionary<string, string>? Variables,
    string? AuthorityPem);
