using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>The terms of an installation's control planes, in a location: one object for each, which only one of them could put.</summary>
/// <remarks>What a term's object holds is sealed: whoever can write to the location and nothing more cannot end a control plane.</remarks>
static class Terms
{
    const int Digits = 6;

    /// <summary>Where they are.</summary>
    public static string Folder(Guid installation) => $"{ExportNames.Folder(installation)}/term";

    static ObjectName Name(Guid installation, long term)
        => new($"{Folder(installation)}/{term.ToString($"D{Digits}", CultureInfo.InvariantCulture)}");

    /// <summary>Begins a term: from here on every lower one is an old one.</summary>
    /// <exception cref="ConflictException">Another control plane began it, or a later one.</exception>
    public static async Task Begin(IObjectStore store, ExportBox box, Guid installation, long term, CancellationToken ct)
    {
        var highest = await Highest(store, box, installation, ct);
        try
        {
            if (highest < term)
            {
                var name = Name(installation, term);
                await store.Put(name, box.Seal(name.Value, Encoding.UTF8.GetBytes($"{Environment.MachineName}\n")), ct);
                return;
            }
        }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { highest = term; }   // told below, with the way out
        throw new ConflictException("control_plane.term", string.Create(CultureInfo.InvariantCulture,
            $"Term {highest} of this installation has begun already in {store.Url}; this one would be {term}."),
            "Another rebuild was made, perhaps at this moment. Use that one, or rebuild again from its newest entry.");
    }

    /// <summary>The highest term that has begun; 0 for none. Objects that the recovery key does not open are nobody's.</summary>
    public static async Task<long> Highest(IObjectStore store, ExportBox box, Guid installation, CancellationToken ct)
    {
        var found = new List<(long Term, ObjectName Name)>();
        await foreach (var one in store.List(Folder(installation), ct))
            if (long.TryParse(one.Name.LastSegment, NumberStyles.None, CultureInfo.InvariantCulture, out var term))
                found.Add((term, one.Name));
        foreach (var (term, name) in found.OrderByDescending(one => one.Term))
        {
            var content = await ReadExport.Whole(store, name, ct);
            try { box.Open(name.Value, content); }
            catch (ConflictException) { continue; }   // put by somebody without the key: it begins nothing
            return term;
        }
        return 0;
    }
}
