using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Repositories;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>A place to which the control plane is exported, opened.</summary>
sealed class ExportPlace(string key, LocationId? location, IObjectStore? store, string? problem) : IAsyncDisposable
{
    /// <summary>Names it in our table: the location's id, or "folder".</summary>
    public string Key => key;

    /// <summary>The location; null for the nodes' folder.</summary>
    public LocationId? Location => location;

    /// <summary>Null where it cannot be opened.</summary>
    public IObjectStore? Store => store;

    /// <summary>Why it was not written this time; null while all is well.</summary>
    public string? Problem { get; set; } = problem;

    /// <summary>Whether it still takes part in this round.</summary>
    public bool IsUsable => store is not null && Problem is null;

    /// <summary>Parts that it holds.</summary>
    public HashSet<string> Parts { get; } = new(StringComparer.Ordinal);

    /// <summary>Terms and numbers of the entries that it holds.</summary>
    public HashSet<(long Term, long Seq)> Entries { get; } = [];

    public ValueTask DisposeAsync() => store?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>Opens the places that a node itself can write to: object stores, the folders that nodes serve, and the one of the
/// setting.</summary>
public sealed class ExportPlaces(Postgres db, LocationSecrets secrets, GatewayStores gateway, ControlPlaneOptions options,
    TimeProvider clock)
{
    /// <summary>Key of the folder of the setting ControlPlane:ExportFolder.</summary>
    internal const string FolderKey = "folder";

    internal static readonly string[] Kinds = [nameof(LocationKind.S3), nameof(LocationKind.Azure), nameof(LocationKind.Gateway)];

    /// <summary>All of them; one that cannot be opened says why.</summary>
    internal async Task<List<ExportPlace>> Open(CancellationToken ct)
    {
        var places = new List<ExportPlace>();
        if (options.ExportFolder.Length > 0)
            places.Add(new ExportPlace(FolderKey, null, StoreFactory.Open(options.ExportFolder, new StoreOptions { Clock = clock }), null));
        var ids = await db.Query("select id from location where kind = any($1) and not is_closed order by id", [Kinds],
            row => row.Id<LocationId>("id"), ct);
        foreach (var id in ids) places.Add(await Open(id, ct));
        return places;
    }

    async Task<ExportPlace> Open(LocationId id, CancellationToken ct)
    {
        try
        {
            var (location, credentials) = await secrets.Find(db, id, ct);
            var store = location.Path is { } folder ? await gateway.Root(folder, id, ct)
                : StoreFactory.Open(location.Address, LocationWay.Of(location, credentials).Options(clock));
            return new ExportPlace(id.ToString(), id, store, null);
        }
        catch (BackupDrException e) { return new ExportPlace(id.ToString(), id, null, Sentence(e)); }   // told on the storage page
    }

    /// <summary>What a person reads.</summary>
    internal static string Sentence(BackupDrException e)
        => string.Create(CultureInfo.InvariantCulture, $"{e.Message}{(e.Hint is null ? "" : $" {e.Hint}")}");
}
