using System.Text.Json;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Format;

/// <summary>What a tree needs: its data blobs and its subtrees, without the rest of its nodes.</summary>
/// <remarks>It accepts what <see cref="TreeBlob.Read"/> refuses, for example illegal names: what such a tree needs must be kept
/// too.</remarks>
static class TreeReferences
{
    /// <summary>Reads the references.</summary>
    /// <exception cref="RepositoryException">Damaged: what is wrong and at which byte.</exception>
    public static void Read(ReadOnlySpan<byte> json, string where, List<BlobId> data, List<BlobId> trees)
    {
        var input = new JsonInput(json, where);
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (!member.SequenceEqual("nodes"u8) || input.IsNull) { input.Skip(); continue; }
            input.Expect(JsonTokenType.StartArray);
            while (input.NextElement()) ReadNode(ref input, data, trees);
        }
        input.End();
    }

    static void ReadNode(ref JsonInput input, List<BlobId> data, List<BlobId> trees)
    {
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (input.IsNull) continue;
            if (member.SequenceEqual("subtree"u8)) trees.Add(input.Id());
            else if (member.SequenceEqual("content"u8))
            {
                input.Expect(JsonTokenType.StartArray);
                while (input.NextElement()) data.Add(input.Id());
            }
            else input.Skip();
        }
    }
}
