using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Locks;

/// <summary>A restic lock that we hold: kept fresh on its own timer, and told when it was lost.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-9. Release it with <see cref="DisposeAsync"/>.</remarks>
public sealed class RepositoryLock : IAsyncDisposable
{
    /// <summary>How often the lock is written anew.</summary>
    public static readonly TimeSpan RefreshEvery = TimeSpan.FromMinutes(5);
    /// <summary>Age at which we no longer trust it.</summary>
    public static readonly TimeSpan MaximumAge = TimeSpan.FromMinutes(22);
    /// <summary>Age at which anybody may remove it on request.</summary>
    public static readonly TimeSpan StaleAge = TimeSpan.FromMinutes(30);
    static readonly TimeSpan SettleTime = TimeSpan.FromMilliseconds(200);

    readonly Repository _repository;
    readonly CancellationTokenSource _lost = new();
    readonly SemaphoreSlim _turn = new(1);
    readonly LockFile _identity;
    readonly List<BlobId> _superseded = [];   // refreshed away, and perhaps not deleted yet
    BlobId _current;
    long _refreshedAt, _writtenAt;
    PeriodicTimer? _due;
    Task _refreshing = Task.CompletedTask;

    RepositoryLock(Repository repository, LockFile identity)
    {
        (_repository, _identity) = (repository, identity);
        _refreshedAt = repository.Options.Clock.GetTimestamp();
    }

    /// <summary>Who holds it.</summary>
    internal LockIdentity Identity => LockIdentity.Of(_identity);

    /// <summary>Fires when the lock could not be kept: stop at once, publish nothing.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Takes a lock.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="exclusive">Whether nobody else may work on it.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="RepositoryException">Locked: by whom and since when.</exception>
    public static Task<RepositoryLock> Take(Repository repository, bool exclusive, CancellationToken ct)
        => Take(repository, exclusive ? LockKind.Exclusive : LockKind.Shared, ct);

    /// <summary>Takes a lock of a kind.</summary>
    /// <exception cref="RepositoryException">Locked: by whom and since when.</exception>
    public static async Task<RepositoryLock> Take(Repository repository, LockKind kind, CancellationToken ct)
    {
        var taken = await Enter(repository, kind, ct);
        await taken.OrLeave(taken.Settle(ct));
        return taken;
    }

    /// <summary>
    /// Writes a lock without waiting for others that may have been written at the same moment: until <see cref="Settle"/> has returned
    /// its owner may read, and must store and publish nothing.
    /// </summary>
    /// <remarks>What is read counts only if nobody removes it meanwhile, so the locks are looked at after ours is there and before anything
    /// is read. An exclusive lock that was taken while ours was on its way could else come and go between the looks of this and of
    /// <see cref="Settle"/>, and what its owner removed would still be in what we read.</remarks>
    /// <exception cref="RepositoryException">Locked: by whom and since when.</exception>
    public static async Task<RepositoryLock> Announce(Repository repository, LockKind kind, CancellationToken ct)
    {
        var taken = await Enter(repository, kind, ct);
        await taken.OrLeave(taken.RefuseConflict(ct));
        return taken;
    }

    async Task OrLeave(Task work)
    {
        try { await work; }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    static async Task<RepositoryLock> Enter(Repository repository, LockKind kind, CancellationToken ct)
    {
        var options = repository.Options;
        var taken = new RepositoryLock(repository, LockRules.Identity(kind, options));
        await taken.RefuseConflict(ct);
        taken._current = await taken.Write(ct);
        taken._writtenAt = options.Clock.GetTimestamp();
        taken._refreshing = taken.KeepFresh(taken._due = new PeriodicTimer(RefreshEvery, options.Clock));
        return taken;
    }

    /// <summary>Waits until a lock written at the same moment would be visible, and looks again.</summary>
    /// <exception cref="RepositoryException">Locked: by whom and since when. Dispose this lock then.</exception>
    public async Task Settle(CancellationToken ct)
    {
        var rest = SettleTime - _repository.Options.Clock.GetElapsedTime(_writtenAt);
        if (rest > TimeSpan.Zero) await Task.Delay(rest, _repository.Options.Clock, ct);
        await RefuseConflict(ct);
    }

    /// <summary>All locks of a repository; unreadable ones are left out.</summary>
    public static Task<IReadOnlyList<(BlobId Id, LockFile Lock)>> List(Repository repository, CancellationToken ct)
        => List(repository, [], ct);

    static async Task<IReadOnlyList<(BlobId Id, LockFile Lock)>> List(Repository repository, IReadOnlyList<BlobId> ours,
        CancellationToken ct)
    {
        var found = new List<(BlobId, LockFile)>();
        await foreach (var listed in repository.Store.List(ObjectLayout.Locks, ct))
        {
            if (!ObjectLayout.TryId(listed, out var id) || listed.SizeBytes == 0 || ours.Contains(id)) continue;
            try
            {
                var json = await repository.ReadUnpacked(ObjectLayout.Locks, id, ct, listed.SizeBytes);
                found.Add((id, LockFile.Read(json.Span, $"lock {id}")));
            }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { continue; }   // refreshed or released meanwhile
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged)
            {
                throw new RepositoryException(RepositoryFault.Damaged, e.Message,
                    "Nobody can tell whose lock that is. When nothing is running, remove it with 'backupdr unlock --remove-all'.", e);
            }
        }
        return found;
    }

    async Task RefuseConflict(CancellationToken ct)
    {
        // No refresh meanwhile: else our own lock of a moment ago would look like somebody else's.
        await _turn.WaitAsync(ct);
        try { await RefuseOthers(ct); }
        finally { _turn.Release(); }
    }

    async Task RefuseOthers(CancellationToken ct)
    {
        foreach (var (id, other) in await List(_repository, [_current, .. _superseded], ct))
        {
            if (!LockRules.Conflict(_identity, other)) continue;
            if (await RemoveIfDead(_repository, id, other, ct)) continue;
            var age = LockRules.Age(other, _repository.Options);
            throw new RepositoryException(RepositoryFault.Locked,
                $"The repository is locked {(other.IsExclusive ? "exclusively " : "")}by {LockRules.Holder(other)} on {other.HostName} "
                + $"(process {other.Pid}) since {other.Time.ToDateTimeOffset():u}.",
                age > StaleAge ? "That lock is stale: when that process is gone, remove it with 'backupdr unlock'."
                    : "Wait until it is done, or end it.");
        }
    }

    /// <summary>Removes the locks whose processes are provably gone; tells <see cref="RepositoryOptions.LockRemoved"/> of each.</summary>
    public static async Task RemoveDead(Repository repository, CancellationToken ct)
    {
        foreach (var (id, other) in await List(repository, ct)) await RemoveIfDead(repository, id, other, ct);
    }

    static async Task<bool> RemoveIfDead(Repository repository, BlobId id, LockFile other, CancellationToken ct)
    {
        if (!LockRules.IsOfTheDead(other, repository.Options)) return false;
        if (await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Locks, id), ct))
            repository.Options.LockRemoved?.Invoke(
                new RemovedLock(LockRules.Holder(other), other.HostName, other.Pid, other.Time.ToDateTimeOffset()));
        return true;
    }

    async Task<BlobId> Write(CancellationToken ct)
        => await _repository.WriteUnpacked(ObjectLayout.Locks,
            (_identity with { Time = UnixTime.From(_repository.Options.Clock.GetUtcNow()) }).Write(), ct);

    async Task KeepFresh(PeriodicTimer due)
    {
        while (await due.WaitForNextTickAsync(CancellationToken.None))   // no more ticks once it is disposed
        {
            // Not to be broken off: half a refresh leaves a lock behind that nobody knows.
            try { await Refresh(); }
            catch (StoreException) when (Age < MaximumAge) { continue; }   // the next tick tries again; the age decides
            catch (StoreException) { await _lost.CancelAsync(); return; }
        }
    }

    TimeSpan Age => _repository.Options.Clock.GetElapsedTime(Interlocked.Read(ref _refreshedAt));

    async Task Refresh()
    {
        await _turn.WaitAsync();
        try
        {
            var next = await Write(CancellationToken.None);
            _superseded.Add(_current);
            _current = next;
            Interlocked.Exchange(ref _refreshedAt, _repository.Options.Clock.GetTimestamp());
            await DeleteSuperseded();
        }
        finally { _turn.Release(); }
    }

    async Task DeleteSuperseded()
    {
        while (_superseded.Count > 0)
        {
            await _repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Locks, _superseded[^1]), CancellationToken.None);
            _superseded.RemoveAt(_superseded.Count - 1);
        }
    }

    /// <summary>Whether the lock is still ours: its object exists and it is fresh. Ask before publishing, and again after.</summary>
    public async Task<bool> IsHeld(CancellationToken ct)
    {
        if (_lost.IsCancellationRequested || Age >= MaximumAge) return false;
        await _turn.WaitAsync(ct);
        try { return await _repository.Store.Head(ObjectLayout.Of(ObjectLayout.Locks, _current), ct) is not null; }
        finally { _turn.Release(); }
    }

    /// <summary>Removes the locks that earlier processes of this identity (host and user) left behind; gives their number.</summary>
    public static async Task<int> RemoveLeftovers(Repository repository, Func<int, bool> isRunning, CancellationToken ct)
    {
        var removed = 0;
        foreach (var (id, other) in await List(repository, ct))
        {
            if (other.HostName != repository.Options.HostName || other.UserName != repository.Options.UserName || isRunning(other.Pid))
                continue;
            if (await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Locks, id), ct)) removed++;
        }
        return removed;
    }

    /// <summary>
    /// Removes locks that are stale: not refreshed for <see cref="StaleAge"/>, or of this host and a process that is gone; where the
    /// lock tells in which namespace, only if that can be seen from here. Gives their number.
    /// </summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="isRunning">Whether a process of this host lives.</param>
    /// <param name="all">Removes every lock, also of those at work.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<int> RemoveStale(Repository repository, Func<int, bool> isRunning, bool all, CancellationToken ct)
    {
        if (all) return await RemoveAll(repository, ct);
        var removed = 0;
        foreach (var (id, other) in await List(repository, ct))
        {
            if (!LockRules.IsStale(other, repository.Options, isRunning)) continue;
            if (await repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Locks, id), ct)) removed++;
        }
        return removed;
    }

    // Without reading them: a damaged lock must not be there for ever.
    static async Task<int> RemoveAll(Repository repository, CancellationToken ct)
    {
        var names = new List<ObjectName>();
        await foreach (var listed in repository.Store.List(ObjectLayout.Locks, ct))
            if (ObjectLayout.TryId(listed, out _)) names.Add(listed.Name);
        var removed = 0;
        foreach (var name in names)
            if (await repository.Store.Delete(name, ct)) removed++;
        return removed;
    }

    /// <summary>Releases the lock.</summary>
    public async ValueTask DisposeAsync()
    {
        _due?.Dispose();
        await _refreshing;
        await _repository.Store.Delete(ObjectLayout.Of(ObjectLayout.Locks, _current), CancellationToken.None);
        await DeleteSuperseded();
        _lost.Dispose();
        _turn.Dispose();
    }
}
