using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Repositories;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>A place to which the control plane is exported, opened.</summary>
sealed class ExportPlace(string key, string name, LocationId? location, IObjectStore? store, string? problem) : IAsyncDisposable
{
    /// <summary>Names it in our table: the location's id, or "folder".</summary>
    public string Key => key;

    /// <summary>As people call it, for the middle of a sentence.</summary>
    public string Name => name;

    /// <summary>Its address, as the location has it; null for the folder.</summary>
    public string? Address { get; init; }

    /// <summary>Whether its word on terms counts: one that is away may be asked as well when it is back.</summary>
    public bool Counts { get; init; } = store is null || store.Abilities.HasFlag(StoreAbilities.ConditionalPut);

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
        {
            var folder = StoreFactory.Open(options.ExportFolder, new StoreOptions { Clock = clock });
            places.Add(new ExportPlace(FolderKey, "the folder of the nodes", null, folder, null));
        }
        places.AddRange(await Locations(db, ct));
        return places;
    }

    /// <summary>Those among the locations, as they are at this moment of a database.</summary>
    internal async Task<List<ExportPlace>> Locations(SqlSource source, CancellationToken ct)
    {
        var places = new List<ExportPlace>();
        var all = await source.Query("""
            select id, name, coalesce(address, path) as address from location where kind = any($1) and not is_closed order by id
            """, [Kinds], row => (Id: row.Id<LocationId>("id"), Name: row.Text("name"), Address: row.Text("address")), ct);
        foreach (var (id, name, address) in all) places.Add(await Open(source, id, $"the location {name}", address, ct));
        return places;
    }

    async Task<ExportPlace> Open(SqlSource source, LocationId id, string name, string address, CancellationToken ct)
    {
        try
        {
            var (location, credentials) = await secrets.Find(source, id, ct);
            var store = location.Path is { } folder ? await gateway.Root(folder, id, ct)
                : StoreFactory.Open(location.Address, LocationWay.Of(location, credentials).Options(clock));
            return new ExportPlace(id.ToString(), name, id, store, null) { Address = address };
        }
        // told on the storage page
        catch (BackupDrException e) { return new ExportPlace(id.ToString(), name, id, null, Sentence(e)) { Address = address }; }
    }

    /// <summary>What a person reads.</summary>
    internal static string Sentence(BackupDrException e)
        => string.Create(CultureInfo.InvariantCulture, $"{e.Message}{(e.Hint is null ? "" : $" {e.Hint}")}");
}
