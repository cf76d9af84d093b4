using System.Buffers;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Format;

/// <summary>The JSON of a folder: its nodes in restic's form, so that equal folders give equal ids in both programs.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-7.2 to F-7.10.</remarks>
public static class TreeBlob
{
    static readonly byte[][] TypeWords = ["file"u8.ToArray(), "dir"u8.ToArray(), "symlink"u8.ToArray(), "dev"u8.ToArray(),
        "chardev"u8.ToArray(), "fifo"u8.ToArray(), "socket"u8.ToArray()];

    /// <summary>Writes a tree. <paramref name="nodes"/> must be sorted by name bytes, without doubles.</summary>
    /// <param name="nodes">Finished nodes: files with content, folders with subtree.</param>
    /// <param name="json">Cleared first; holds the tree's bytes afterwards.</param>
    /// <exception cref="InvalidOperationException">The nodes are not sorted, or a folder has no subtree: a bug, caught before it is
    /// stored.</exception>
    public static void Write(IReadOnlyList<Node> nodes, GoJson json)
    {
        json.Clear();
        json.Open('{').Name("nodes"u8).Open('[');
        var scratch = new ArrayBufferWriter<byte>(256);
        for (var i = 0; i < nodes.Count; i++)
        {
            if (i > 0 && nodes[i - 1].Name.Bytes.SequenceCompareTo(nodes[i].Name.Bytes) >= 0)
                throw new InvalidOperationException($"Tree nodes are not sorted: {nodes[i].Name} after {nodes[i - 1].Name}.");
            Write(nodes[i], json, scratch);
        }
        json.Close(']').Close('}').Raw((byte)'\n');
    }

    static void Write(Node node, GoJson json, ArrayBufferWriter<byte> scratch)
    {
        scratch.ResetWrittenCount();
        GoQuote.Quote(node.Name.Bytes, scratch);
        json.Open('{').Name("name"u8).Text(scratch.WrittenSpan).Name("type"u8).Text(TypeWords[(int)node.Type]);
        var mode = GoFileMode.Encode(node.Type, node.Permissions);
        if (mode != 0) json.Name("mode"u8).Number((ulong)mode);
        json.Name("mtime"u8).Text(GoTime.Format(node.ModifiedAt));
        json.Name("atime"u8).Text(GoTime.Format(node.AccessedAt));
        json.Name("ctime"u8).Text(GoTime.Format(node.ChangedAt));
        json.Name("uid"u8).Number((ulong)node.Uid).Name("gid"u8).Number((ulong)node.Gid);
        if (node.User.Length > 0) json.Name("user"u8).Text(node.User);
        if (node.Group.Length > 0) json.Name("group"u8).Text(node.Group);
        if (node.Inode != 0) json.Name("inode"u8).Number(node.Inode);
        if (node.DeviceId != 0) json.Name("device_id"u8).Number(node.DeviceId);
        if (node.SizeBytes != 0) json.Name("size"u8).Number(node.SizeBytes);
        if (node.Links != 0) json.Name("links"u8).Number(node.Links);
        if (!node.LinkTarget.IsEmpty)
        {
            json.Name("linktarget"u8).Text(node.LinkTarget.Bytes);
            if (!System.Text.Unicode.Utf8.IsValid(node.LinkTarget.Bytes)) json.Name("linktarget_raw"u8).Base64Text(node.LinkTarget.Bytes);
        }
        if (node.Xattrs.Count > 0)
        {
            json.Name("extended_attributes"u8).Open('[');
            foreach (var xattr in node.Xattrs)
                json.Open('{').Name("name"u8).Text(xattr.Name).Name("value"u8).Base64Text(xattr.Value).Close('}');
            json.Close(']');
        }
        if (node.GenericAttributes is { } generic) json.Name("generic_attributes"u8).Verbatim(generic);
        if (node.Device != 0) json.Name("device"u8).Number(node.Device);
        WriteContent(node, json);
        if (node.Error.Length > 0) json.Name("error"u8).Text(node.Error);
        json.Close('}');
    }

    static void WriteContent(Node node, GoJson json)
    {
        json.Name("content"u8);
        if (node.Type != NodeType.File) json.Null();
        else
        {
            json.Open('[');
            foreach (var id in node.Content) json.Id(id);
            json.Close(']');
        }
        if (node.Type != NodeType.Dir) return;
        json.Name("subtree"u8).Id(node.Subtree ?? throw new InvalidOperationException($"Folder {node.Name} has no subtree."));
    }

    /// <summary>Reads a tree and checks what a reader relies on.</summary>
    /// <param name="json">The blob.</param>
    /// <param name="where">Names the tree in errors.</param>
    /// <exception cref="RepositoryException">Damaged: what is wrong and at which byte.</exception>
    public static IReadOnlyList<Node> Read(ReadOnlySpan<byte> json, string where)
    {
        var input = new JsonInput(json, where);
        var nodes = new List<Node>();
        var found = false;
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (!member.SequenceEqual("nodes"u8)) { input.Skip(); continue; }
            found = true;
            if (input.IsNull) continue;
            input.Expect(JsonTokenType.StartArray);
            while (input.NextElement())
            {
                var node = ReadNode(ref input, json);
                if (nodes.Count > 0 && nodes[^1].Name.Bytes.SequenceCompareTo(node.Name.Bytes) >= 0)
                    throw input.Bad($"'{node.Name}' comes after '{nodes[^1].Name}': names must be sorted and unique");
                nodes.Add(node);
            }
        }
        if (!found) throw input.Bad("there is no list of nodes");
        input.End();
        return nodes;
    }

    /// <summary>Members as they come; a mutable twin of <see cref="Node"/> for the time of reading.</summary>
    ref struct Draft
    {
        public byte[]? Name;
        public NodeType? Type;
        public uint Mode;
        public UnixTime ModifiedAt, AccessedAt, ChangedAt;
        public uint Uid, Gid;
        public string User, Group, Error;
        public ulong Inode, DeviceId, SizeBytes, Links, Device;
        public byte[]? LinkTarget, LinkTargetRaw, Generic;
        public List<Xattr>? Xattrs;
        public List<BlobId>? Content;
        public BlobId? Subtree;
    }

    static Node ReadNode(ref JsonInput input, ReadOnlySpan<byte> json)
    {
        input.Expect(JsonTokenType.StartObject);
        var draft = new Draft { User = "", Group = "", Error = "" };
        while (input.NextMember(out var member))
            if (!ReadIdentity(ref input, member, ref draft) && !ReadRest(ref input, member, ref draft, json)) input.Skip();
        if (draft.Name is null || draft.Type is not { } type) throw input.Bad("a node without name or type");
        if (!IsLegalName(draft.Name))
            throw input.Bad($"'{new FilePath([.. draft.Name.Where(value => value != 0)])}' is no name that may stand in a tree");
        if (type == NodeType.File && draft.Content is null) throw input.Bad($"file '{new FilePath(draft.Name)}' has no content");
        if (type == NodeType.Dir && draft.Subtree is null) throw input.Bad($"folder '{new FilePath(draft.Name)}' has no subtree");
        var target = draft.LinkTargetRaw ?? draft.LinkTarget ?? [];
        if (target.Contains((byte)0)) throw input.Bad($"link '{new FilePath(draft.Name)}' has a NUL byte in its target");
        return new Node
        {
            Name = new FilePath(draft.Name),
            Type = type,
            Permissions = GoFileMode.Permissions(draft.Mode),
            ModifiedAt = draft.ModifiedAt,
            AccessedAt = draft.AccessedAt,
            ChangedAt = draft.ChangedAt,
            Uid = draft.Uid,
            Gid = draft.Gid,
            User = draft.User,
            Group = draft.Group,
            Inode = draft.Inode,
            DeviceId = draft.DeviceId,
            SizeBytes = draft.SizeBytes,
            Links = draft.Links,
            LinkTarget = new FilePath(target),
            Device = draft.Device,
            Xattrs = draft.Xattrs ?? (IReadOnlyList<Xattr>)[],
            Content = draft.Content ?? (IReadOnlyList<BlobId>)[],
            Subtree = draft.Subtree,
            GenericAttributes = draft.Generic,
            Error = draft.Error,
        };
    }

    static bool ReadIdentity(ref JsonInput input, ReadOnlySpan<byte> member, ref Draft draft)
    {
        if (member.SequenceEqual("name"u8))
        {
            if (!GoQuote.TryUnquote(input.TextBytes(), out draft.Name)) throw input.Bad("a name with an unknown escape");
        }
        else if (member.SequenceEqual("type"u8))
            draft.Type = TypeOf(input.TextBytes()) ?? throw input.Bad($"unknown kind of node '{input.Text()}'");
        else if (member.SequenceEqual("mode"u8)) draft.Mode = input.Unsigned32();
        else if (member.SequenceEqual("mtime"u8)) draft.ModifiedAt = input.Time();
        else if (member.SequenceEqual("atime"u8)) draft.AccessedAt = input.Time();
        else if (member.SequenceEqual("ctime"u8)) draft.ChangedAt = input.Time();
        else if (member.SequenceEqual("uid"u8)) draft.Uid = input.Unsigned32();
        else if (member.SequenceEqual("gid"u8)) draft.Gid = input.Unsigned32();
        else if (member.SequenceEqual("user"u8)) draft.User = input.Text();
        else if (member.SequenceEqual("group"u8)) draft.Group = input.Text();
        else return false;
        return true;
    }

    static bool ReadRest(ref JsonInput input, ReadOnlySpan<byte> member, ref Draft draft, ReadOnlySpan<byte> json)
    {
        if (member.SequenceEqual("inode"u8)) draft.Inode = input.Unsigned();
        else if (member.SequenceEqual("device_id"u8)) draft.DeviceId = input.Unsigned();
        else if (member.SequenceEqual("size"u8)) draft.SizeBytes = input.Unsigned();
        else if (member.SequenceEqual("links"u8)) draft.Links = input.Unsigned();
        else if (member.SequenceEqual("device"u8)) draft.Device = input.Unsigned();
        else if (member.SequenceEqual("linktarget"u8)) draft.LinkTarget = input.TextBytes();
        else if (member.SequenceEqual("linktarget_raw"u8)) draft.LinkTargetRaw = input.IsNull ? null : input.Base64();
        else if (member.SequenceEqual("generic_attributes"u8)) draft.Generic = input.IsNull ? null : input.Raw(json);
        else if (member.SequenceEqual("extended_attributes"u8)) draft.Xattrs = input.IsNull ? null : ReadXattrs(ref input);
        else if (member.SequenceEqual("subtree"u8)) draft.Subtree = input.IsNull ? null : input.Id();
        else if (member.SequenceEqual("error"u8)) draft.Error = input.Text();
        else if (member.SequenceEqual("content"u8))
        {
            if (input.IsNull) return true;
            input.Expect(JsonTokenType.StartArray);
            draft.Content = [];
            while (input.NextElement()) draft.Content.Add(input.Id());
        }
        else return false;
        return true;
    }

    static List<Xattr> ReadXattrs(ref JsonInput input)
    {
        input.Expect(JsonTokenType.StartArray);
        var xattrs = new List<Xattr>();
        while (input.NextElement())
        {
            input.Expect(JsonTokenType.StartObject);
            var (name, value) = ("", Array.Empty<byte>());
            while (input.NextMember(out var member))
            {
                if (member.SequenceEqual("name"u8)) name = input.Text();
                else if (member.SequenceEqual("value"u8)) value = input.IsNull ? [] : input.Base64();
                else input.Skip();
            }
            xattrs.Add(new Xattr(name, value));
        }
        return xattrs;
    }

    static NodeType? TypeOf(ReadOnlySpan<byte> word)
    {
        for (var i = 0; i < TypeWords.Length; i++)
            if (word.SequenceEqual(TypeWords[i])) return (NodeType)i;
        return null;
    }

    /// <summary>Whether bytes may name an entry: not empty, no slash, no NUL, not "." or "..".</summary>
    public static bool IsLegalName(ReadOnlySpan<byte> name)
        => !name.IsEmpty && !name.ContainsAny((byte)'/', (byte)0) && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8);
}
