using System.Globalization;

namespace BackupDr.Storage.Probing;

/// <summary>The objects that a test made, and their removal.</summary>
sealed class ProbeLeftovers(IObjectStore store, TimeProvider clock)
{
    // The test itself may have ended because its time was over.
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    readonly List<ObjectName> _made = [];
    readonly Dictionary<ObjectName, DateTimeOffset> _locked = [];

    /// <summary>Notes a name that others put.</summary>
    public void Note(ObjectName name) => _made.Add(name);

    /// <summary>Puts an object and notes it; one that was refused for good is not there.</summary>
    public async Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        _made.Add(name);
        try { await store.Put(name, content, ct); }
        catch (StoreException e) when (!e.IsTransient)
        {
            _made.Remove(name);
            throw;
        }
    }

    /// <summary>Notes that it can not be deleted before a time.</summary>
    public void Locked(ObjectName name, DateTimeOffset until) => _locked[name] = until;

    /// <summary>Removes them all, older versions too.</summary>
    /// <returns>Whether nothing stays but what was locked, in words as well; null where nothing was made.</returns>
    public async Task<(bool?, string)> Remove()
    {
        if (_made.Count == 0) return (null, "Nothing was put.");
        using var late = new CancellationTokenSource(Patience, clock);
        var stay = new List<(ObjectName Name, string Why)>();
        var isSeen = true;
        foreach (var name in _made)
        {
            try
            {
                await store.Delete(name, late.Token);
                isSeen &= await RemoveVersions(name, late.Token);
            }
            catch (StoreException e) { stay.Add((name, e.Message)); }
            catch (OperationCanceledException) { stay.Add((name, "the time was over.")); }
        }
        var odd = stay.Where(left => !_locked.ContainsKey(left.Name)).ToList();
        if (odd.Count > 0)
            return (false, string.Create(CultureInfo.InvariantCulture, $"{odd.Count} of {_made.Count} objects below {Folder(odd[0].Name)} ")
                + $"stay: {odd[0].Why}");
        if (stay.Count > 0)
            return (true, $"{stay[0].Name} stays until {_locked[stay[0].Name].UtcDateTime:HH:mm:ss} UTC, because it was locked; then it "
                + "can be deleted. Everything else is gone.");
        return (true, isSeen ? "Everything that was put is gone."
            : "Everything that was put is deleted. Whether older versions stay cannot be seen with these credentials.");
    }

    /// <summary>Whether older versions can be seen at all.</summary>
    async Task<bool> RemoveVersions(ObjectName name, CancellationToken ct)
    {
        if (store.Versions is not { } versions) return true;
        IReadOnlyList<ObjectVersion> found;
        try { found = await versions.Of(name, ct); }
        catch (StoreException e) when (e.Fault is StoreFault.Denied or StoreFault.Unusable) { return false; }
        foreach (var version in found) await versions.Remove(name, version.Id, ct);
        return true;
    }

    static string Folder(ObjectName name) => name.Value[..name.Value.LastIndexOf('/')];
}
