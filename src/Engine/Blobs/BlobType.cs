namespace BackupDr.Engine.Blobs;

/// <summary>What a blob holds. The same bytes can exist as both; type and id together are the identity.</summary>
public enum BlobType
{
    /// <summary>File content.</summary>
    Data = 0,
    /// <summary>A folder's JSON.</summary>
    Tree = 1,
}
