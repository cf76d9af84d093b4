using System.Collections.Concurrent;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage;
using BackupDr.Storage.Folder;

namespace BackupDr.Scheduler.Gateway;

/// <summary>The folders that this node serves, opened once each, and only where they are the right ones.</summary>
/// <remarks>
/// A location's folder holds a note with the location's id. A node on which the folder's disk is not mounted finds no note and serves
/// nothing, instead of an empty folder that would be taken for an empty repository.
/// </remarks>
public sealed class GatewayStores(TimeProvider clock) : IAsyncDisposable
{
    static readonly ObjectName Note = new("x-backupdr/location");

    readonly ConcurrentDictionary<RepositoryId, IObjectStore> _open = new();

    /// <summary>The objects of a repository.</summary>
    /// <exception cref="UnavailableException">The location's folder is not on this node.</exception>
    /// <exception cref="StoreException">The folder cannot be read.</exception>
    public async Task<IObjectStore> Of(GatewayGrant grant, CancellationToken ct)
    {
        if (_open.TryGetValue(grant.Repository, out var open)) return open;
        await (await Root(grant.Root, grant.Location, ct)).DisposeAsync();
        var made = new FolderStore(grant.Folder, clock);
        if (_open.TryAdd(grant.Repository, made)) return made;
        await made.DisposeAsync();
        return _open[grant.Repository];
    }

    /// <summary>The folder of a location itself; the caller disposes it.</summary>
    /// <exception cref="UnavailableException">It is not on this node.</exception>
    /// <exception cref="StoreException">It cannot be read.</exception>
    internal async Task<IObjectStore> Root(FilePath folder, LocationId location, CancellationToken ct)
    {
        var root = new FolderStore(folder, clock);
        try
        {
            if (await Owner(root, ct) is { } owner && owner == location.ToString()) return root;
            throw new UnavailableException("gateway.folder_absent", $"{folder} on this node is not the folder of the location {location}.",
                "Mount its disk there; every node that serves agents needs the same folder.");
        }
        catch
        {
            await root.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a folder the one of a location.</summary>
    /// <exception cref="ConflictException">It is another location's.</exception>
    /// <exception cref="StoreException">It cannot be written.</exception>
    public async Task Claim(FilePath folder, LocationId location, CancellationToken ct)
    {
        await using var root = new FolderStore(folder, clock);
        try { await root.Put(Note, Encoding.ASCII.GetBytes(location.ToString()), ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Exists)
        {
            if (await Owner(root, ct) is { } owner && owner != location.ToString())
                throw new ConflictException("gateway.folder_taken", $"{folder} is the folder of another location, {owner}.",
                    $"Choose another folder; if that installation is gone, delete {folder}/{Note} first.");
        }
    }

    /// <summary>Makes a folder nobody's, where it is the one of this location.</summary>
    /// <exception cref="StoreException">It cannot be written.</exception>
    public async Task Release(FilePath folder, LocationId location, CancellationToken ct)
    {
        await using var root = new FolderStore(folder, clock);
        if (await Owner(root, ct) == location.ToString()) await root.Delete(Note, ct);
    }

    static async Task<string?> Owner(FolderStore root, CancellationToken ct)
    {
        if (await root.Head(Note, ct) is not { } found) return null;
        var text = new byte[Math.Min(found.SizeBytes, 100)];
        await root.Read(Note, 0, text, ct);
        return Encoding.ASCII.GetString(text);
    }

    /// <summary>Closes the folders.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var store in _open.Values) await store.DisposeAsync();
    }
}
