using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Replicas;

/// <summary>Replaces index files that name packs which departed, or are about to.</summary>
public sealed partial class Replication
{
    // Index files that travel no more, and those of them that go from where they are.
    readonly HashSet<BlobId> _stale = [], _replaced = [];
    // Packs that such a file names, and that no new one may name, because a prune has marked them.
    readonly HashSet<BlobId> _unnamed = [];

    /// <summary>
    /// Where each place is pruned by itself, an index file of one names packs that the other removed, or has marked and removes without
    /// looking at us. There it would name packs that are gone, and writers would count on them. So such a file stays where it is; what
    /// else it names, and no other does, goes into a new one. A file that departed is looked at as well: the ones that a prune put in its
    /// place may have been lost with the place before they came to another.
    /// </summary>
    async Task ReplaceStale(CancellationToken ct)
    {
        foreach (var set in (HashSet<BlobId>[])[_stale, _replaced, _unnamed]) set.Clear();
        var files = Usable.SelectMany(place => place.Objects[ObjectLayout.Index].Keys).Where(id => !_unread.Contains(id)).ToHashSet();
        var isRemoved = files.Any(IsGoneIndex) || Usable.Any(place => place.Objects[ObjectLayout.Data].Keys.Any(IsGone));
        if (!isRemoved && !files.Any(id => Lacking(id).Any(place => place.Marked.Count > 0))) return;
        var (named, old) = (new HashSet<BlobId>(), new List<(BlobId Id, IndexContent Content)>());
        foreach (var id in files)
        {
            if (await ReadIndex(id, ct) is not { } content)
            {
                await Unreadable(id, ct);
                continue;
            }
            var isStale = IsGoneIndex(id) || content.Packs.Exists(pack => IsGone(pack.Id) || IsMarkedWhereLacking(id, pack.Id));
            if (isStale) old.Add((id, content));
            else named.UnionWith(content.Packs.Select(pack => pack.Id));
        }
        _stale.UnionWith(old.Select(one => one.Id));
        foreach (var (id, content) in old)
        {
            if (!Usable.Any(place => place.Objects[ObjectLayout.Index].ContainsKey(id))) continue;   // its place stopped answering
            var left = content.Packs.Where(pack => !IsGone(pack.Id) && !named.Contains(pack.Id)).ToList();
            // A sweep of the place where the new file is put, or comes to, may be removing them without having seen it.
            _unnamed.UnionWith(left.Select(pack => pack.Id).Where(IsMarked));
            await Replace(id, [.. left.Where(pack => !IsMarked(pack.Id) && named.Add(pack.Id))], content.HoldJson, ct);
        }
        foreach (var (id, content) in old) Retire(id, content, named);
    }

    bool IsGone(BlobId pack) => _gone.Contains(ObjectLayout.Of(ObjectLayout.Data, pack));

    bool IsGoneIndex(BlobId file) => _gone.Contains(ObjectLayout.Of(ObjectLayout.Index, file));

    bool IsMarked(BlobId pack) => Usable.Any(place => place.Marked.Contains(pack));

    IEnumerable<Place> Lacking(BlobId index) => Usable.Where(place => !place.Objects[ObjectLayout.Index].ContainsKey(index));

    bool IsMarkedWhereLacking(BlobId index, BlobId pack) => Lacking(index).Any(place => place.Marked.Contains(pack));

    async Task Replace(BlobId id, List<IndexedPack> rest, byte[]? holdJson, CancellationToken ct)
    {
        if (rest.Count == 0 && (holdJson is null || IsGoneIndex(id))) return;   // what replaces a file that departed has its list
        var place = Usable.First(place => place.Objects[ObjectLayout.Index].ContainsKey(id));
        var made = await place.Repository!.WriteUnpacked(ObjectLayout.Index, IndexFile.Write(rest, holdJson), ct);
        var stored = await place.Store.Head(ObjectLayout.Of(ObjectLayout.Index, made), ct);
        place.Objects[ObjectLayout.Index][made] = stored?.SizeBytes ?? 0;
    }

    /// <summary>A file goes with the packs that departed, once all else that it names stands in others.</summary>
    void Retire(BlobId id, IndexContent content, HashSet<BlobId> named)
    {
        if (content.Packs.TrueForAll(pack => IsGone(pack.Id) || named.Contains(pack.Id)))
        {
            if (!IsGoneIndex(id)) _replaced.Add(id);
            return;
        }
        foreach (var place in Usable) place.NotRemoved ??= "An index file is copied, and what departed is removed, when the prune of "
            + "another place is over.";
    }
}
