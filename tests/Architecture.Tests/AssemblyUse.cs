using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace BackupDr.Architecture.Tests;

/// <summary>What a built assembly refers to: full names of types that are not its own, and native libraries.</summary>
public sealed record AssemblyUse(string Name, IReadOnlySet<string> Types, IReadOnlySet<string> NativeLibraries)
{
    /// <summary>Reads an assembly that lies beside the tests.</summary>
    public static AssemblyUse Read(string name)
    {
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, name + ".dll"));
        using var image = new PEReader(file);
        var metadata = image.GetMetadataReader();
        return new AssemblyUse(
            name,
            metadata.TypeReferences.Select(handle => FullName(metadata, metadata.GetTypeReference(handle))).ToHashSet(),
            Enumerable.Range(1, metadata.GetTableRowCount(TableIndex.ModuleRef))
                .Select(row => metadata.GetString(metadata.GetModuleReference(MetadataTokens.ModuleReferenceHandle(row)).Name))
                .ToHashSet());
    }

    static string FullName(MetadataReader metadata, TypeReference type)
    {
        var name = metadata.GetString(type.Name);
        return type.ResolutionScope.Kind == HandleKind.TypeReference
            ? $"{FullName(metadata, metadata.GetTypeReference((TypeReferenceHandle)type.ResolutionScope))}.{name}"
            : $"{metadata.GetString(type.Namespace)}.{name}";
    }
}
