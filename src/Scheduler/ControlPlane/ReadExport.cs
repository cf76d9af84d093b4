using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Finds and opens the entries of an export in a location.</summary>
sealed class ReadExport(IObjectStore store, ExportBox box)
{
    const long LargestObject = 1 << 30;

    /// <summary>The entries of a location, newest first.</summary>
    /// <param name="installation">Whose; null where the location has only one installation's.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="NotFoundException">There are none.</exception>
    /// <exception cref="BadInputException">There are several installations', and none was named.</exception>
    public async Task<(Guid Installation, IReadOnlyList<(long Term, long Seq)> Entries)> Entries(Guid? installation, CancellationToken ct)
    {
        var found = new Dictionary<Guid, List<(long, long)>>();
        var folder = installation is { } one ? ExportNames.Entries(one) : ExportNames.Root;
        await foreach (var item in store.List(folder, ct))
        {
            var segments = item.Name.Value.Split('/');
            if (segments.Length != 4 || segments[2] != "entry" || !Guid.TryParseExact(segments[1], "N", out var id)
                || ExportNames.Parse(item.Name) is not { } entry) continue;
            if (!found.TryGetValue(id, out var entries)) found[id] = entries = [];
            entries.Add(entry);
        }
        if (found.Count == 0)
            throw new NotFoundException($"An export of a control plane in {store.Url}",
                $"It is looked for in the folder {folder}/. Name the location's own address, without the part of a repository.");
        if (found.Count > 1)
            throw new BadInputException("--installation", $"{store.Url} holds the exports of {found.Count} installations: "
                + $"{string.Join(", ", found.Keys.Order())}.", "Name one of them; the recovery kit says which.");
        var (whose, all) = found.Single();
        return (whose, [.. all.OrderDescending()]);
    }

    /// <summary>One entry.</summary>
    /// <exception cref="ConflictException">It does not open, or is not signed by that key.</exception>
    public async Task<ExportEntry> Entry(Guid installation, (long Term, long Seq) entry, string? signer, CancellationToken ct)
    {
        var name = ExportNames.Entry(installation, entry.Term, entry.Seq);
        var (_, read) = SignedEntry.Read(name.Value, box.Open(name.Value, await Whole(store, name, ct)), signer);
        if (read.Installation != installation || (read.Term, read.Seq) != entry)
            throw new ConflictException("export.signature", string.Create(CultureInfo.InvariantCulture,
                $"{name} says that it is entry {read.Seq} of term {read.Term} of {read.Installation}."),
                "It was put under another name. Name another entry, or another location.");
        return read;
    }

    /// <summary>The rows of a part: a JSON object in each line.</summary>
    /// <exception cref="ConflictException">It does not open, or holds something else.</exception>
    public async Task<byte[]> Part(Guid installation, ExportPart part, CancellationToken ct)
    {
        var name = ExportNames.Part(installation, part.Object);
        var plain = box.Open(name.Value, await Whole(store, name, ct));
        return box.PartName(part.Table, plain) == part.Object ? plain : throw new ConflictException("export.unopened",
            $"{name} does not hold what the entry says.", "Name an older entry, or another location.");
    }

    /// <summary>A whole object.</summary>
    /// <exception cref="StoreException">It is not there, or cannot be read.</exception>
    internal static async Task<byte[]> Whole(IObjectStore store, ObjectName name, CancellationToken ct)
    {
        var found = await store.Head(name, ct)
            ?? throw new StoreException(StoreFault.Missing, $"read {name} in {store.Url}: there is no such object.");
        if (found.SizeBytes > LargestObject)
            throw new StoreException(StoreFault.Unusable, $"read {name} in {store.Url}: {found.SizeBytes} bytes are no part of an export.");
        var content = new byte[found.SizeBytes];
        await store.Read(name, 0, content, ct);
        return content;
    }
}
