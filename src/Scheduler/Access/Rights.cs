using System.Collections.Frozen;

namespace BackupDr.Scheduler.Access;

/// <summary>The one table of use cases: each handler and the right that it needs. What is not in it cannot be called over HTTP.</summary>
/// <remarks>Tests compare it with the handlers' first lines and with the mapped endpoints.</remarks>
public static class Rights
{
    static readonly FrozenDictionary<Type, Right> Table = new Dictionary<Type, Right>
    {
    }.ToFrozenDictionary();

    /// <summary>Every handler; the node registers them as singletons.</summary>
    public static IEnumerable<Type> Handlers => Table.Keys;

    /// <summary>The right that a handler needs.</summary>
    /// <exception cref="InvalidOperationException">The handler is not in the table.</exception>
    public static Right Of(Type handler) => Table.TryGetValue(handler, out var right) ? right
        : throw new InvalidOperationException($"{handler.Name} is not in the table of rights (Access/Rights.cs).");
}
