using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>What a recovery kit says of the control plane.</summary>
public sealed class ExportedControlPlane(RecoveryKey recovery, EvidenceKey signer, SealedSecrets secrets, LocationSecrets locations,
    ControlPlaneOptions options)
{
    /// <summary>Everything in clear.</summary>
    internal async Task<KitControlPlane> ForKit(SqlSource db, CancellationToken ct)
    {
        var places = new List<KitPlace>();
        if (options.ExportFolder.Length > 0) places.Add(new KitPlace("a folder of the nodes", options.ExportFolder, [], null, null));
        var ids = await db.Query("select id from location where kind = any($1) and not is_closed order by lower(name)",
            [ExportPlaces.Kinds], row => row.Id<LocationId>("id"), ct);
        foreach (var id in ids)
        {
            var (location, credentials) = await locations.Find(db, id, ct);
            places.Add(new KitPlace(location.Name, location.Address, location.Options,
                CredentialVariables.Of(location.Kind, credentials), location.AuthorityPem));
        }
        return new KitControlPlane(recovery.Installation, RecoveryKey.Text(recovery.Key), signer.Fingerprint, secrets.KeyText(), places);
    }
}
