using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Where the control plane is exported to, and how old that is.</summary>
public sealed class ShowControlPlane(Postgres db, ControlPlaneOptions options, EvidenceKey signer, TermFence fence)
{
    /// <summary>Handles GET control-plane.</summary>
    public async Task<ControlPlaneState> Handle(Caller caller, ShowControlPlaneRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.StorageRead);
        var places = await db.Query("""
            select l.id, l.name, coalesce(l.address, l.path) as address, l.kind = any($1) and not l.is_closed as is_exported,
                e.exported_at, e.problem
            from location l left join control_export e on e.location_id = l.id order by lower(l.name)
            """, [ExportPlaces.Kinds], row => new ControlPlanePlace
        {
            Location = row.Id<LocationId>("id"),
            Name = row.Text("name"),
            Address = row.Text("address"),
            IsExported = row.Bool("is_exported"),
            ExportedAt = row.TimeOrNull("exported_at"),
            Problem = row.TextOrNull("problem"),
        }, ct);
        if (options.ExportFolder.Length > 0) places.Insert(0, await Folder(ct));
        return await db.First("select installation, term, export_seq, exported_at, export_due_at from control_plane", [],
            row => new ControlPlaneState
            {
                Installation = row.Guid("installation"),
                Term = row.Long("term"),
                Later = fence.Later is { } later ? new LaterControlPlane(later.Term, later.SeenIn, later.SeenAt) : null,
                Entry = row.Long("export_seq"),
                ExportedAt = row.TimeOrNull("exported_at"),
                DueAt = row.Time("export_due_at"),
                SignedBy = signer.Fingerprint,
                Places = places,
            }, ct) ?? throw new NotFoundException("The control plane's own record");
    }

    async Task<ControlPlanePlace> Folder(CancellationToken ct)
    {
        var place = new ControlPlanePlace { Name = "A folder of the nodes", Address = options.ExportFolder, IsExported = true };
        return await db.First("select exported_at, problem from control_export where place = $1", [ExportPlaces.FolderKey],
            row => place with { ExportedAt = row.TimeOrNull("exported_at"), Problem = row.TextOrNull("problem") }, ct) ?? place;
    }
}

/// <summary>Writes an export now.</summary>
public sealed class ExportControlPlane(Postgres db, WriteExport export, ShowControlPlane show)
{
    /// <summary>Handles POST control-plane/export; answers when it was written, or another node's was.</summary>
    public async Task<ControlPlaneState> Handle(Caller caller, ExportControlPlaneRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageManage);
        await db.InTransaction(async tx =>
        {
            await ExportTable.Hurry(tx, ct);
            await Audit.Add(tx, caller, "control_plane.export", "", "", ct);
        }, ct);
        await export.Run(ct);
        return await show.Handle(caller, new ShowControlPlaneRequest(), ct);
    }
}
