using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage.Probing;

/// <summary>Finds what a place really does, by doing it: one line for each ability.</summary>
/// <remarks>
/// It works with objects of its own, "x-backupdr/probe/RANDOM.NAME", and removes them. A failure of the store is a line that says what
/// failed and what to do next, never an exception; where nothing can be put, or the store stays away, the lines after it are untested.
/// A place that does not exist is not made.
/// </remarks>
public sealed class StoreProbe
{
    const string Folder = "x-backupdr/probe";
    const int SmallBytes = 64, LargeBytes = 4 << 20, Races = 4;
    static readonly TimeSpan LockedFor = TimeSpan.FromMinutes(1), ClockTolerance = TimeSpan.FromMinutes(1);

    readonly IObjectStore _store;
    readonly ProbeOptions _options;
    readonly string _random = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
    readonly byte[] _content = RandomNumberGenerator.GetBytes(SmallBytes);
    readonly List<ProbeLine> _lines = [];
    readonly ProbeLeftovers _made;
    string? _stopped;   // why nothing more is tried

    StoreProbe(IObjectStore store, ProbeOptions options)
    {
        (_store, _options) = (store, options);
        _made = new ProbeLeftovers(store, options.Clock);
    }

    /// <summary>Tests a place.</summary>
    /// <param name="store">The place; not disposed.</param>
    /// <param name="options">What is tried, and how long.</param>
    /// <param name="ct">Ends the test with an exception, after its objects were removed.</param>
    /// <returns>One line for each <see cref="ProbedAbility"/>, in its order.</returns>
    public static async Task<IReadOnlyList<ProbeLine>> Run(IObjectStore store, ProbeOptions options, CancellationToken ct)
    {
        var probe = new StoreProbe(new RetryingStore(store, options.Retry, options.Clock), options);
        using var late = new CancellationTokenSource(options.Patience, options.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, ct);
        try { await probe.Look(both.Token); }
        finally { await probe.CleanUp(); }
        ct.ThrowIfCancellationRequested();
        return probe._lines;
    }

    /// <summary>Tries object lock alone, as far as the options allow.</summary>
    /// <returns>Its line; that of writing where nothing could be put.</returns>
    public static async Task<ProbeLine> RunLock(IObjectStore store, ProbeOptions options, CancellationToken ct)
    {
        var probe = new StoreProbe(new RetryingStore(store, options.Retry, options.Clock), options);
        using var late = new CancellationTokenSource(options.Patience, options.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, ct);
        try
        {
            await probe.Step(ProbedAbility.Write, probe.Write, both.Token);
            if (probe._lines[^1].Result == ProbeResult.Works) await probe.Step(ProbedAbility.ObjectLock, probe.Lock, both.Token);
        }
        finally { await probe._made.Remove(); }
        ct.ThrowIfCancellationRequested();
        return probe._lines[^1];
    }

    /// <summary>The lines of a place that could not even be opened.</summary>
    public static IReadOnlyList<ProbeLine> Unopened(BackupDrException e) => [.. Enum.GetValues<ProbedAbility>().Select(ability
        => ability == ProbedAbility.Write ? new ProbeLine(ability, ProbeResult.DoesNot, Finding.Words(e), e.Hint, 0)
            : new ProbeLine(ability, ProbeResult.Untested, "Not tried, because the place could not be opened.", null, 0))];

    async Task Look(CancellationToken ct)
    {
        await Step(ProbedAbility.Write, Write, ct);
        await Step(ProbedAbility.Read, Read, ct);
        await Step(ProbedAbility.List, List, ct);
        await Step(ProbedAbility.NoOverwrite, Overwrite, ct);
        await Step(ProbedAbility.OneWinner, Race, ct);
        await Step(ProbedAbility.Delete, Delete, ct);
        await Step(ProbedAbility.ObjectLock, Lock, ct);
        await Step(ProbedAbility.Versions, Versions, ct);
        await Step(ProbedAbility.StorageClasses, Classes, ct);
        // Told by every answer, also by one that refuses: a wrong clock may be why.
        _lines.Add(Clock().Line(ProbedAbility.Clock, 0));
        await Step(ProbedAbility.Speed, Speed, ct);
    }

    async Task CleanUp()
    {
        var begun = _options.Clock.GetTimestamp();
        var (isClean, sentence) = await _made.Remove();
        _lines.Add(new Finding(isClean is null ? ProbeResult.Untested : isClean.Value ? ProbeResult.Works : ProbeResult.DoesNot, sentence)
            .Line(ProbedAbility.CleanUp, Passed(begun)));
    }

    async Task Step(ProbedAbility ability, Func<CancellationToken, Task<Finding>> look, CancellationToken ct)
    {
        if (_stopped is { } why) { _lines.Add(new Finding(ProbeResult.Untested, why).Line(ability, 0)); return; }
        var begun = _options.Clock.GetTimestamp();
        Finding found;
        try { found = await look(ct); }
        catch (StoreException e)
        {
            found = Finding.Of(e);
            // Whoever cannot write has nothing to look at; a store that stays away would cost the same wait for each line.
            if (ability == ProbedAbility.Write || e.Fault is StoreFault.Unavailable or StoreFault.Throttled)
                _stopped = $"Not tried, because {Words(ability)} failed.";
        }
        catch (OperationCanceledException)
        {
            found = new Finding(ProbeResult.DoesNot, string.Create(CultureInfo.InvariantCulture,
                $"It was not done when the test's {_options.Patience.TotalSeconds:0} seconds were over."),
                "Look at the network and at what the server does meanwhile; then test again.");
            _stopped = "Not tried, because the time of the test was over.";
        }
        _lines.Add(found.Line(ability, Passed(begun)));
    }

    async Task<Finding> Write(CancellationToken ct)
    {
        // A bucket that does not exist would be made by the first put: a test must not do that under a mistyped name.
        try { await foreach (var _ in _store.List(Folder, ct)) break; }
        catch (StoreException e) when (e.Fault == StoreFault.Denied) { /* whether it may list is a line of its own */ }
        await _made.Put(First, _content, ct);
        return new Finding(ProbeResult.Works, "An object was put.");
    }

    async Task<Finding> Read(CancellationToken ct) => await Holds(First, _content, ct)
        ? new Finding(ProbeResult.Works, "The same bytes came back.")
        : new Finding(ProbeResult.DoesNot, "Other bytes came back than were put: the store, or something on the way, damages them.",
            "Do not keep backups here before that is mended.");

    async Task<Finding> List(CancellationToken ct)
    {
        await foreach (var found in _store.List(Folder, ct))
            if (found.Name == First)
                return found.SizeBytes == SmallBytes ? new Finding(ProbeResult.Works, "A listing shows the object at once.")
                    : new Finding(ProbeResult.DoesNot, $"A listing shows the object with {found.SizeBytes} bytes; it has {SmallBytes}.",
                        "Do not keep backups here: indexes are found by listings.");
        return new Finding(ProbeResult.DoesNot, "A listing does not show an object that was just put.",
            "Do not keep backups here: indexes and snapshots are found by listings.");
    }

    async Task<Finding> Overwrite(CancellationToken ct)
    {
        try { await _store.Put(First, RandomNumberGenerator.GetBytes(SmallBytes), ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Exists)
        {
            return await Holds(First, _content, ct) ? new Finding(ProbeResult.Works, "A second put of a name is refused.")
                : new Finding(ProbeResult.DoesNot, "A second put of a name was refused, and yet changed the object.",
                    "Do not keep backups here before that is mended.");
        }
        return new Finding(ProbeResult.DoesNot, "A second put replaced the object: the server ignores the condition.",
            "For S3 set the option s3.conditional-put=off, so that we look before we put.");
    }

    async Task<Finding> Race(CancellationToken ct)
    {
        const string harmless = "Packs, indexes and snapshots are not concerned: their names tell their content.";
        if (!_store.Abilities.HasFlag(StoreAbilities.ConditionalPut))
            return new Finding(ProbeResult.DoesNot, "This store takes no conditions: of two writers at the same moment both may believe "
                + "that they won.", harmless);
        for (var round = 0; round < Races; round++)
        {
            var name = new ObjectName($"{Folder}/{_random}.race{round}");
            _made.Note(name);
            var contents = new[] { RandomNumberGenerator.GetBytes(SmallBytes), RandomNumberGenerator.GetBytes(SmallBytes) };
            var won = await Task.WhenAll(contents.Select(content => Wins(name, content, ct)));
            if (won is [true, true])
                return new Finding(ProbeResult.DoesNot, "Two writers of one name at the same moment were both told that they won.",
                    harmless);
            if (won is [false, false])
                return new Finding(ProbeResult.DoesNot, "Two writers of one name at the same moment were both refused.",
                    "Test again; if it stays, another client may be writing here.");
            if (!await Holds(name, contents[won[0] ? 0 : 1], ct))
                return new Finding(ProbeResult.DoesNot, "The object is not that of the writer who was told that it won.", harmless);
        }
        return new Finding(ProbeResult.Works, string.Create(CultureInfo.InvariantCulture,
            $"Of two writers at the same moment exactly one won, {Races} times."));
    }

    async Task<bool> Wins(ObjectName name, byte[] content, CancellationToken ct)
    {
        try { await _store.Put(name, content, ct); return true; }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { return false; }
    }

    async Task<Finding> Delete(CancellationToken ct)
    {
        try { await _store.Delete(First, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Denied)
        {
            return new Finding(ProbeResult.DoesNot, Finding.Words(e), "Backups need to remove their own locks: allow deletion "
                + "below locks/ at least. Pruning needs it everywhere.");
        }
        return await _store.Head(First, ct) is null ? new Finding(ProbeResult.Works, "An object was deleted, and is gone.")
            : new Finding(ProbeResult.DoesNot, "A deleted object is still there.",
                "Look for a retention or legal hold that is set on everything.");
    }

    async Task<Finding> Lock(CancellationToken ct)
    {
        if (_store.Locks is not { } locks)
            return new Finding(ProbeResult.DoesNot, "This kind of place has no object lock that we could set.");
        if (!_options.TryLock)
            return new Finding(ProbeResult.Untested, "Not asked for: it leaves an object that cannot be deleted for a minute.");
        var name = new ObjectName($"{Folder}/{_random}.lock");
        await _made.Put(name, _content, ct);
        // By the store's clock: a date that has passed there would be refused.
        var until = _options.Clock.GetUtcNow() + LockedFor + (_store.ClockDifference ?? TimeSpan.Zero);
        try { await locks.Retain(name, new Retention(RetentionMode.Governance, until), ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Unusable)
        {
            return new Finding(ProbeResult.DoesNot, Finding.Words(e), "Object lock is chosen when a bucket is made: make a new "
                + "one with it, where you want it.");
        }
        _made.Locked(name, until);
        return await IsKept(name, ct) ? new Finding(ProbeResult.Works, "A retention was set, read back, and kept against a deletion.")
            : new Finding(ProbeResult.DoesNot, "A retention was set and read back, and the object could be deleted all the same.",
                "These credentials may bypass governance: take that right away, or use s3.retention-mode=compliance.");
    }

    // In a bucket with versions a deletion only lays a mark over the object: what must stay is the version.
    async Task<bool> IsKept(ObjectName name, CancellationToken ct)
    {
        try
        {
            if (_store.Versions is not { } versions) return !await _store.Delete(name, ct);
            foreach (var version in await versions.Of(name, ct)) await versions.Remove(name, version.Id, ct);
            return false;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Denied) { return true; }
    }

    async Task<Finding> Versions(CancellationToken ct)
    {
        if (_store.Versions is not { } versions)
            return new Finding(ProbeResult.Untested, "This kind of place shows us no older versions.");
        var name = new ObjectName($"{Folder}/{_random}.version");
        await _made.Put(name, _content, ct);
        try
        {
            await _store.Delete(name, ct);
            return (await versions.Of(name, ct)).Any(version => !version.IsDeletion)
                ? new Finding(ProbeResult.Works, "A deleted object stays as an older version.",
                    "Space returns only when a lifecycle rule of yours removes older versions.")
                : new Finding(ProbeResult.DoesNot, "What is deleted is gone for good.",
                    "Versions protect against a stolen key; switch them on at the bucket where you want them.");
        }
        catch (StoreException e) when (e.Fault == StoreFault.Denied)
        {
            return new Finding(ProbeResult.Untested, $"These credentials may not look: {e.Message}");
        }
    }

    async Task<Finding> Classes(CancellationToken ct)
    {
        if (_store.Tiers is not { } tiers) return new Finding(ProbeResult.DoesNot, "This kind of place has one class for all objects.");
        var name = new ObjectName($"{Folder}/{_random}.class");
        await _made.Put(name, _content, ct);
        var plain = (await tiers.Of(name, ct)).Class;
        if (_options.StorageClass is not { } wanted)
            return new Finding(ProbeResult.Untested, $"New objects lie in {plain}; no other class was tried.");
        await tiers.Move(name, wanted, ct);
        var now = (await tiers.Of(name, ct)).Class;
        return now == wanted ? new Finding(ProbeResult.Works, $"New objects lie in {plain}, and can be moved to {wanted}.")
            : new Finding(ProbeResult.DoesNot, $"An object that was moved to {wanted} lies in {now}.",
                "Choose a class that the server has.");
    }

    Finding Clock()
    {
        if (_store.ClockDifference is not { } ahead) return new Finding(ProbeResult.Untested, "The place does not tell the time.");
        var seconds = Math.Round(ahead.Duration().TotalSeconds);
        var words = string.Create(CultureInfo.InvariantCulture,
            $"Its clock is {seconds} s {(ahead < TimeSpan.Zero ? "behind" : "ahead of")} this machine's.");
        return ahead.Duration() > ClockTolerance
            ? new Finding(ProbeResult.DoesNot, words, "Set the clock that is wrong, for example with chrony: requests are signed with the "
                + "time, and retention counts by it.")
            : new Finding(ProbeResult.Works, seconds <= 2 ? "Its clock shows what this machine's shows, within 2 s." : words);
    }

    async Task<Finding> Speed(CancellationToken ct)
    {
        var name = new ObjectName($"{Folder}/{_random}.speed");
        var (sent, received) = (RandomNumberGenerator.GetBytes(LargeBytes), new byte[LargeBytes]);
        var begun = _options.Clock.GetTimestamp();
        await _made.Put(name, sent, ct);
        var up = _options.Clock.GetElapsedTime(begun);
        begun = _options.Clock.GetTimestamp();
        await _store.Read(name, 0, received, ct);
        var down = _options.Clock.GetElapsedTime(begun);
        return sent.AsSpan().SequenceEqual(received)
            ? new Finding(ProbeResult.Works, $"One object of 4 MiB: {Rate(up)} there, {Rate(down)} back.")
            : new Finding(ProbeResult.DoesNot, "An object of 4 MiB came back with other bytes.",
                "Do not keep backups here before that is mended.");
    }

    static string Rate(TimeSpan time) => string.Create(CultureInfo.InvariantCulture,
        $"{LargeBytes / (double)(1 << 20) / Math.Max(time.TotalSeconds, 0.001):0.#} MiB/s");

    ObjectName First => new($"{Folder}/{_random}.first");

    async Task<bool> Holds(ObjectName name, byte[] content, CancellationToken ct)
    {
        var found = new byte[content.Length];
        await _store.Read(name, 0, found, ct);
        return found.AsSpan().SequenceEqual(content);
    }

    long Passed(long begun) => (long)_options.Clock.GetElapsedTime(begun).TotalMilliseconds;

    static string Words(ProbedAbility ability) => ability switch
    {
        ProbedAbility.Write => "writing",
        ProbedAbility.Read => "reading",
        ProbedAbility.List => "listing",
        ProbedAbility.NoOverwrite => "a second put",
        ProbedAbility.OneWinner => "a race of two writers",
        ProbedAbility.Delete => "deleting",
        ProbedAbility.ObjectLock => "setting a retention",
        ProbedAbility.Versions => "looking at versions",
        ProbedAbility.StorageClasses => "moving to another class",
        ProbedAbility.Speed => "a larger object",
        _ => "the step before",
    };
}
