using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Engine.Browse;

namespace BackupDr.Agent.Requests;

/// <summary>Repositories kept open for browsing, so that a folder lists at once: at most four, each at most ten minutes unused.</summary>
public sealed class OpenRepositories(AgentStores stores, TimeProvider clock) : IDisposable
{
    const int Most = 4;
    static readonly TimeSpan KeepFor = TimeSpan.FromMinutes(10), IndexAge = TimeSpan.FromSeconds(30);

    sealed class Entry(Repository repository, RepositoryAccess access)
    {
        public Repository Repository { get; } = repository;

        /// <summary>Whether it was opened the same way. Credentials that were replaced open it anew: the former may have ended.</summary>
        public bool IsBy(RepositoryAccess now) => Words(now) == Words(access);

        // All that leads to it, further places too.
        static string Words(RepositoryAccess access) => JsonSerializer.Serialize(access, WireJson.Default.RepositoryAccess);

        public TreeBrowser? Browser { get; set; }
        public long LoadedAt { get; set; }
        public long UsedAt { get; set; }
    }

    readonly SemaphoreSlim _turn = new(1);
    readonly Dictionary<RepositoryId, Entry> _open = [];

    /// <summary>Lists a folder of a snapshot.</summary>
    public async Task<IReadOnlyList<Engine.Format.Node>> List(RepositoryAccess access, string snapshotId, FilePath folder,
        CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            var entry = await Get(access, ct);
            var snapshot = await entry.Repository.FindSnapshot(snapshotId, SnapshotFilter.All, ct);
            if (entry.Browser is null || clock.GetElapsedTime(entry.LoadedAt) > IndexAge)
            {
                entry.Browser = await TreeBrowser.Open(entry.Repository, ct);
                entry.LoadedAt = clock.GetTimestamp();
            }
            return await entry.Browser.List(snapshot, folder, ct);
        }
        finally { _turn.Release(); }
    }

    async Task<Entry> Get(RepositoryAccess access, CancellationToken ct)
    {
        foreach (var (id, old) in _open.ToArray())
            if (id == access.Id ? !old.IsBy(access)
                : clock.GetElapsedTime(old.UsedAt) > KeepFor || (_open.Count >= Most && !_open.ContainsKey(access.Id)
                    && old.UsedAt == _open.Values.Min(entry => entry.UsedAt)))
            {
                old.Repository.Dispose();
                _open.Remove(id);
            }
        if (!_open.TryGetValue(access.Id, out var found))
        {
            using var password = Secret.FromText(access.Password);
            found = _open[access.Id] = new Entry(await Repository.Open(await stores.OpenToRead(access, ct), password,
                new RepositoryOptions { ExpectedId = access.ConfigId }, ct), access);
        }
        found.UsedAt = clock.GetTimestamp();
        return found;
    }

    /// <summary>Closes all.</summary>
    public void Dispose()
    {
        foreach (var entry in _open.Values) entry.Repository.Dispose();
        _turn.Dispose();
    }
}
