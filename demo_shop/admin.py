"""The shop's own admin pages."""

from django.contrib import admin

from demo_shop.models import Category, Product, ProductPhoto


class PhotoInline(admin.TabularInline):  # type: ignore[type-arg]
    """Further views, edited with their product."""

    model = ProductPhoto
    extra = 1


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Products."""

    list_display = ("title", "sku", "category", "price", "stock", "active")
    list_filter = ("active", "category")
    list_editable = ("active",)
    search_fields = ("title", "sku")
    inlines = [PhotoInline]


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shelves."""

    list_display = ("name", "parent")
